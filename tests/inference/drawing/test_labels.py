import numpy as np
import pytest

from yolact_pl.inference.drawing import labels
from yolact_pl.inference.drawing.colors import text_color
from yolact_pl.inference.drawing.label_places import label_place
from yolact_pl.inference.drawing.labels import ELLIPSIS, draw_chip, shorten, text_coverage


def test_text_has_the_size_that_was_asked_for() -> None:
    heights = [text_coverage("person 0.87", size).shape[0] for size in (8, 16, 32, 64)]
    assert all(
        size <= height <= 1.4 * size + 2 for size, height in zip((8, 16, 32, 64), heights, strict=True)
    )
    assert text_coverage("Hg", 20).shape[0] == text_coverage("ee", 20).shape[0]


@pytest.mark.parametrize("text", ["person", "gjpqy", "W" * 40, "Å"])
def test_letters_are_whole(text: str) -> None:
    coverage = text_coverage(text, 20)
    assert coverage.max() > 0.9
    assert coverage[:, 0].max() < 0.5
    assert coverage[:, -1].max() < 0.5
    assert coverage[-1].max() < 0.5


def test_lines_become_one() -> None:
    assert (text_coverage("a\nb", 12) == text_coverage("a b", 12)).all()


def test_a_name_that_fits_is_left_as_it_is() -> None:
    assert shorten("person", "0.87", 12, 500) == "person 0.87"
    assert shorten("person", "", 12, 500) == "person"
    assert shorten("", "0.87", 12, 500) == "0.87"


def test_a_long_name_loses_its_end_and_keeps_its_score() -> None:
    text = shorten("refrigerator with an open door", "0.87", 12, 120)
    assert text.startswith("refri")
    assert text.endswith(f"{ELLIPSIS} 0.87")
    assert 100 < text_coverage(text, 12).shape[1] <= 120


def test_less_room_costs_the_score_and_then_the_label() -> None:
    room = text_coverage("person", 12).shape[1]
    assert shorten("person", "0.87", 12, room) in ("person", f"pe{ELLIPSIS} 0.87", f"p{ELLIPSIS} 0.87")
    assert shorten("dog", "0.87", 12, text_coverage("dog", 12).shape[1]) == "dog"
    assert shorten("person", "0.87", 12, 10) == ""
    assert shorten("猫" * 300, "0.87", 12, 3) == ""


def test_missing_font_is_told_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "_warned", [])
    for score in ("0.87", "0.95"):
        # U+FFFE is no character in any font
        assert text_coverage(f"\ufffe\ufffd {score}", 12).shape[1] > 0
    assert sum("no font" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (255, 40, 20)])
def test_a_chip_is_its_color_with_contrasting_text_and_nothing_around_changes(
    color: tuple[int, int, int],
) -> None:
    image = np.full((40, 90, 3), 128, dtype=np.uint8)
    draw_chip(image, "dog", (10, 5), color, 14)
    h, w = text_coverage("dog", 14).shape
    chip = image[5 : 5 + h, 10 : 10 + w].copy()
    assert (chip[0, 0] == color).all()
    assert np.abs(chip.astype(int) - text_color(color)).sum(axis=-1).min() < 60
    image[5 : 5 + h, 10 : 10 + w] = 128
    assert (image == 128).all()


def test_the_first_place_is_above_the_box() -> None:
    assert label_place((10, 30), (50, 40, 90, 80), (100, 200), []) == (50, 30, 80, 40)


@pytest.mark.parametrize(
    ("box", "place"),
    [
        ((50, 4, 90, 80), (50, 4, 80, 14)),  # no room above: inside at the top
        ((190, 40, 200, 80), (170, 30, 200, 40)),  # too far right: moved left
        ((0, 0, 200, 5), (0, 0, 30, 10)),
        ((0, 95, 5, 100), (0, 85, 30, 95)),
    ],
)
def test_places_are_inside_the_image(
    box: tuple[int, int, int, int], place: tuple[int, int, int, int]
) -> None:
    assert label_place((10, 30), box, (100, 200), []) == place


def test_labels_of_one_box_get_places_of_their_own() -> None:
    taken: list[tuple[int, int, int, int]] = []
    while (place := label_place((10, 20), (50, 40, 90, 80), (100, 200), taken)) is not None:
        taken.append(place)
    # Above, inside at the top, inside at the bottom, below: at its left and at its right.
    assert len(taken) == 8
    cover = np.zeros((100, 200), int)
    for x1, y1, x2, y2 in taken:
        cover[y1:y2, x1:x2] += 1
    assert cover.max() == 1


def test_the_middle_is_taken_where_both_sides_are() -> None:
    """Boxes of 60 pixels with labels of 20: what is taken leaves only the middle of the row above."""
    box = (50, 40, 110, 50)
    taken = [(45, 0, 70, 100), (90, 0, 115, 100)]
    assert label_place((10, 20), box, (100, 200), taken) == (70, 30, 90, 40)


def test_a_label_may_cover_the_margin_of_another_but_no_letter() -> None:
    box, whole = (50, 40, 90, 80), [(0, 40, 200, 100)]
    assert label_place((20, 40), box, (100, 200), [*whole, (0, 0, 200, 21)]) == (50, 20, 90, 40)
    assert label_place((20, 40), box, (100, 200), [*whole, (0, 0, 200, 23)]) is None


def test_no_place_in_too_small_an_image() -> None:
    assert label_place((10, 30), (0, 0, 5, 5), (9, 100), []) is None
    assert label_place((10, 30), (0, 0, 5, 5), (100, 29), []) is None
    assert label_place((10, 30), (0, 0, 5, 5), (10, 30), []) == (0, 0, 30, 10)
