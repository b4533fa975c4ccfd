import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolact_pl.images.placement import LETTERBOX, MODES, SHORTEST_EDGE, STRETCH, Placement, Resize

lengths = st.integers(1, 3000)
sizes = st.tuples(lengths, lengths)
inputs = st.tuples(st.integers(32, 900), st.integers(32, 900))


@pytest.mark.parametrize(
    ("mode", "image_size", "picture", "expected"),
    [
        (STRETCH, (550, 550), (480, 640), Placement((550, 550), 0, 0, 550, 550)),
        (LETTERBOX, (550, 550), (480, 640), Placement((550, 550), 69, 0, 412, 550)),  # 412.5, 412 is even
        (LETTERBOX, (400, 800), (480, 640), Placement((400, 800), 0, 133, 400, 533)),
        (LETTERBOX, (64, 64), (64, 64), Placement((64, 64), 0, 0, 64, 64)),
        (SHORTEST_EDGE, (480, 480), (960, 1280), Placement((480, 640), 0, 0, 480, 640)),
        (SHORTEST_EDGE, (480, 480), (1280, 960), Placement((640, 480), 0, 0, 640, 480)),
        # At most 480 * 5 / 3 = 800: the shorter side stays below.
        (SHORTEST_EDGE, (480, 480), (100, 1000), Placement((96, 800), 0, 0, 80, 800)),
        (SHORTEST_EDGE, (800, 1333), (480, 640), Placement((800, 1088), 0, 0, 800, 1067)),
        (SHORTEST_EDGE, (1333, 800), (480, 900), Placement((736, 1344), 0, 0, 711, 1333)),
    ],
)
def test_places_by_hand(
    mode: str, image_size: tuple[int, int], picture: tuple[int, int], expected: Placement
) -> None:
    assert Resize(mode, image_size).place(picture) == expected


@pytest.mark.parametrize(
    ("factor", "expected"), [(1, (544, 800)), (0.5, (288, 416)), (1.5, (832, 1216)), (0.01, (32, 32))]
)
def test_scaled_inputs_are_multiples_of_32(factor: float, expected: tuple[int, int]) -> None:
    for mode in MODES:
        assert Resize(mode, (550, 810)).scaled(factor) == Resize(mode, expected)


@given(mode=st.sampled_from(MODES), image_size=inputs, picture=sizes)
def test_pictures_lie_inside_and_keep_their_shape(
    mode: str, image_size: tuple[int, int], picture: tuple[int, int]
) -> None:
    placement = Resize(mode, image_size).place(picture)
    height, width = placement.canvas
    assert min(placement.top, placement.left) >= 0
    assert placement.height >= 1
    assert placement.width >= 1
    assert placement.top + placement.height <= height
    assert placement.left + placement.width <= width
    if mode != STRETCH:
        sides = placement.height, placement.width
        longer = 0 if picture[0] >= picture[1] else 1
        # Half a pixel of rounding each; a side of less than a pixel is drawn up to one.
        short = sides[1 - longer]
        assert short == 1 or abs(picture[1 - longer] * sides[longer] / picture[longer] - short) <= 1
    if mode == LETTERBOX:
        assert placement.canvas == image_size
        assert placement.height == height or placement.width == width
        assert abs(height - placement.height - 2 * placement.top) <= 1
        assert abs(width - placement.width - 2 * placement.left) <= 1
    if mode == SHORTEST_EDGE:
        shortest, longest = sorted(image_size)
        longest = shortest * 5 // 3 if shortest == longest else longest
        sides = sorted((placement.height, placement.width))
        assert sides[0] == shortest or sides[1] == longest
        assert sides[0] <= shortest
        assert sides[1] <= longest
        assert height % 32 == width % 32 == 0
        assert 0 <= height - placement.height < 32
        assert 0 <= width - placement.width < 32


def test_maps_show_the_same_place() -> None:
    placement = Placement((64, 96), 8, 20, 40, 50)
    assert placement.on((16, 24)) == (2, 5, 10, 12.5)
    assert Placement.whole((550, 550)).on((138, 138)) == (0, 0, 138, 138)


def test_another_way_is_refused() -> None:
    with pytest.raises(ValueError, match="resize='crop' is not known; choose one of stretch, letterbox, sho"):
        Resize("crop", (64, 64))
