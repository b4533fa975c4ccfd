"""What the modern augmentation composes."""

from typing import Any

import numpy as np
import pytest

from yolact_pl.data.augmentation.canvas import Canvas, Layer
from yolact_pl.data.augmentation.modern import ModernAugmentation
from yolact_pl.data.augmentation.window import Window
from yolact_pl.images.placement import MODES, STRETCH, Placement, Resize

SIZE = (480, 640)


class FewImages:
    """A set whose image 0 has `SIZE` and one object; of the others, image 3 has none, image 2 a crowd."""

    SIZES = (SIZE, (300, 300), (200, 400), (640, 480))
    BOXES = (
        [[100, 100, 300, 300]],
        [[10, 20, 60.5, 80], [200, 50, 220, 290]],
        [[5, 5, 395, 195], [-3, 90, 50, 110.2]],
        [],
    )

    def __init__(self, count: int = 4) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def size(self, image: int) -> tuple[int, int]:
        return self.SIZES[image]

    def boxes(self, image: int) -> np.ndarray:
        return np.array(self.BOXES[image], np.float32).reshape(-1, 4)

    def iscrowd(self, image: int) -> np.ndarray:
        return np.arange(len(self.BOXES[image])) == (0 if image == 2 else -1)


def compose(resize: Resize, number: int, images: FewImages, **options: Any) -> list[Canvas]:
    rng = np.random.default_rng(0)
    augment = ModernAugmentation(**options)
    return [augment.compose(0, images, resize, rng) for _ in range(number)]


def windows(resize: Resize, number: int, **options: Any) -> list[Window]:
    """Of canvases with one layer."""
    canvases = compose(resize, number, FewImages(1), **options)
    assert all(len(canvas.layers) == 1 for canvas in canvases)
    return [canvas.layers[0].window for canvas in canvases]


@pytest.mark.parametrize("mode", MODES)
def test_switched_off_the_image_is_where_evaluation_has_it(mode: str) -> None:
    resize = Resize(mode, (400, 600))
    place = resize.place(SIZE)
    (window,) = windows(resize, 1, flip=0, scale=(1, 1), translate=0)
    corners = window.map_points(np.array([[0, 0], [640, 480]], np.float32), place.canvas)
    expected = [[place.left, place.top], [place.left + place.width, place.top + place.height]]
    np.testing.assert_allclose(corners, expected, atol=1)  # windows have whole source pixels
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    off = ModernAugmentation(hsv=(0, 0, 0))
    np.testing.assert_array_equal(off.recolour(pixels.copy(), np.random.default_rng(0)), pixels)


@pytest.mark.parametrize("mode", MODES)
def test_scale_and_translation_have_their_distributions(mode: str) -> None:
    resize = Resize(mode, (480, 480))
    place = resize.place(SIZE)
    height, width = place.canvas
    drawn = windows(resize, 3000, scale=(0.5, 2), translate=0.2)
    corners = np.stack(
        [window.map_points(np.array([[0, 0], [640, 480]], np.float32), place.canvas) for window in drawn]
    )
    scales = np.log2(np.ptp(corners, axis=1) / (place.width, place.height))
    assert np.abs(np.diff(scales, axis=1)).max() < 0.02  # the aspect ratio stays
    assert scales.mean() == pytest.approx(0, abs=0.03)  # log-uniform in -1..1
    assert scales.var() == pytest.approx(1 / 3, abs=0.03)
    assert np.abs(scales).max() == pytest.approx(1, abs=0.02)
    middle = np.array([place.left + place.width / 2, place.top + place.height / 2])
    shifts = (corners.mean(axis=1) - middle) / (width, height)
    assert np.abs(shifts).max(axis=0) == pytest.approx([0.2, 0.2], abs=0.005)
    assert shifts.mean(axis=0) == pytest.approx([0, 0], abs=0.01)
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.06


def test_flips_have_their_probabilities() -> None:
    drawn = windows(Resize(STRETCH, (64, 64)), 2000, flip=0.7, vertical_flip=0.2)
    assert np.mean([window.flip for window in drawn]) == pytest.approx(0.7, abs=0.04)
    assert np.mean([window.vertical_flip for window in drawn]) == pytest.approx(0.2, abs=0.03)
    assert np.mean([window.flip and window.vertical_flip for window in drawn]) == pytest.approx(
        0.14, abs=0.03
    )
    assert not any(window.vertical_flip for window in windows(Resize(STRETCH, (64, 64)), 50))


@pytest.mark.parametrize("mode", MODES)
def test_quarter_turns_go_to_both_sides_and_mirror_nothing(mode: str) -> None:
    resize = Resize(mode, (96, 96))
    canvas = resize.place(SIZE).canvas
    drawn = windows(resize, 600, quarter_turn=0.6, flip=0, translate=0, scale=(0.5, 0.5))
    corners = np.array([[0, 0], [640, 0], [0, 480]], np.float32)  # of the image: origin, right, below
    seen = []
    for window in drawn:
        origin, right, below = window.map_points(corners, canvas)
        x, y = right - origin, below - origin
        assert x[0] * y[1] - x[1] * y[0] > 0  # not mirrored
        seen.append(round(np.degrees(np.arctan2(x[1], x[0]))))
        middle = window.map_points(np.array([320, 240], np.float32), canvas)
        np.testing.assert_allclose(middle, np.array(canvas[::-1]) / 2, atol=1.5)
    shares = [seen.count(angle) / len(seen) for angle in (0, 90, -90)]
    assert shares == pytest.approx([0.4, 0.3, 0.3], abs=0.06)


def place_of(layer: Layer) -> Placement:
    assert layer.window.placement is not None
    return layer.window.placement


@pytest.mark.parametrize("mode", MODES)
def test_the_tiles_of_a_mosaic_cover_the_canvas_once(mode: str) -> None:
    """With images so large that each covers all of its tile."""
    resize = Resize(mode, (96, 128))
    size = resize.place(SIZE).canvas
    centres, others = [], []
    for canvas in compose(resize, 300, FewImages(), mosaic=1.0, scale=(2, 2)):
        assert canvas.size == size
        shown = np.zeros(size, int)
        for layer in canvas.layers:
            _, top, left, height, width = place_of(layer)
            shown[top : top + height, left : left + width] += 1
            assert layer.stencil is None
        assert (shown == 1).all()
        first, *rest = canvas.layers
        assert first.image == 0
        others += [layer.image for layer in rest]
        centres.append((place_of(first).height / size[0], place_of(first).width / size[1]))
    assert np.bincount(others) / len(others) == pytest.approx([0.25] * 4, abs=0.05)
    assert np.min(centres, axis=0) == pytest.approx([0.25, 0.25], abs=0.02)
    assert np.max(centres, axis=0) == pytest.approx([0.75, 0.75], abs=0.02)
    assert np.mean(centres, axis=0) == pytest.approx([0.5, 0.5], abs=0.04)


@pytest.mark.parametrize("mode", MODES)
def test_small_images_are_shown_whole_somewhere_on_their_tiles(mode: str) -> None:
    resize = Resize(mode, (480, 640))
    tops = []
    for canvas in compose(resize, 300, FewImages(), mosaic=1.0, scale=(0.1, 0.1)):
        shown = np.zeros(canvas.size, int)
        for layer in canvas.layers:
            window, (height, width) = layer.window, FewImages().size(layer.image)
            assert (window.left, window.top, window.width, window.height) == (0, 0, width, height)
            _, top, left, rows, columns = place_of(layer)
            evaluated = resize.place((height, width))
            assert rows == pytest.approx(0.1 * evaluated.height, abs=1)
            assert columns == pytest.approx(0.1 * evaluated.width, abs=1)
            shown[top : top + rows, left : left + columns] += 1
        assert shown.max() == 1
        tops.append(place_of(canvas.layers[0]).top)
    assert min(tops) < 3
    assert max(tops) > 200


def test_each_tile_has_a_scale_of_its_own() -> None:
    resize = Resize(STRETCH, (480, 480))
    scales = []
    for canvas in compose(resize, 400, FewImages(), mosaic=1.0, scale=(0.5, 2)):
        for layer in canvas.layers:
            window, place, (height, width) = layer.window, place_of(layer), FewImages().size(layer.image)
            vertical = np.log2(place.height / window.height * height / 480)
            assert vertical == pytest.approx(np.log2(place.width / window.width * width / 480), abs=0.04)
            scales.append(vertical)
    assert np.mean(scales) == pytest.approx(0, abs=0.05)  # log-uniform in -1..1
    assert np.var(scales) == pytest.approx(1 / 3, abs=0.03)
    assert np.corrcoef(np.reshape(scales, (-1, 4)).T)[0, 1:] == pytest.approx([0] * 3, abs=0.15)


@pytest.mark.parametrize("mode", MODES)
def test_pasted_objects_are_whole_and_no_crowds(mode: str) -> None:
    resize = Resize(mode, (96, 128))
    images = FewImages()
    pasted: dict[int, list[tuple[int, ...]]] = {image: [] for image in range(4)}
    tops = []
    for canvas in compose(resize, 1200, images, copy_paste=1.0):
        assert canvas.layers[0].stencil is None
        for layer in canvas.layers[1:]:
            assert layer.stencil is not None
            pasted[layer.image].append(tuple(layer.stencil.tolist()))
            height, width = images.size(layer.image)
            boxes = images.boxes(layer.image)[layer.stencil].clip(0, (width, height, width, height))
            assert layer.window.visible_share(boxes) == pytest.approx(1)
            assert layer.window.left >= 0
            assert layer.window.left + layer.window.width <= width
            _, top, left, rows, columns = place_of(layer)
            assert 0 <= top <= canvas.size[0] - rows
            assert 0 <= left <= canvas.size[1] - columns
            if rows < canvas.size[0]:
                tops.append(top / (canvas.size[0] - rows))
    assert not pasted[3]  # no objects
    assert set(pasted[0]) == {(0,)}
    assert set(pasted[1]) == {(0,), (1,), (0, 1)}
    assert set(pasted[2]) == {(1,)}
    assert [len(pasted[image]) / 1200 for image in range(3)] == pytest.approx([0.25] * 3, abs=0.05)
    assert np.mean(tops) == pytest.approx(0.5, abs=0.04)
    assert (min(tops), max(tops)) == (0, 1)


def test_mosaic_and_copy_paste_have_their_probabilities() -> None:
    resize = Resize(STRETCH, (96, 96))
    canvases = compose(resize, 2000, FewImages(3), mosaic=0.6, copy_paste=0.3)
    mosaics = [canvas.layers[1:2] and canvas.layers[1].stencil is None for canvas in canvases]
    pasted = [canvas.layers[-1].stencil is not None for canvas in canvases]
    assert np.mean([bool(mosaic) for mosaic in mosaics]) == pytest.approx(0.6, abs=0.03)
    assert np.mean(pasted) == pytest.approx(0.3, abs=0.03)


def test_the_last_part_of_a_run_has_single_images() -> None:
    augment = ModernAugmentation(mosaic=1, copy_paste=1, close=0.25)
    rng = np.random.default_rng(0)
    for progress, layers in ((0, 5), (0.74, 5), (0.75, 1), (1, 1)):
        canvas = augment.at(progress).compose(0, FewImages(3), Resize(STRETCH, (64, 64)), rng)
        assert len(canvas.layers) == layers
    assert ModernAugmentation(mosaic=1, close=0).at(0.999).mosaic == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"flip": 1.5}, "augment.flip=1.5: expected a number from 0 to 1"),
        ({"translate": -0.1}, "augment.translate=-0.1"),
        ({"mosaic": 2}, "augment.mosaic=2"),
        ({"copy_paste": -1}, "augment.copy_paste=-1"),
        ({"close": 10}, "augment.close=10"),
        ({"scale": [1.5, 0.5]}, "augment.scale=.*such as"),
        ({"scale": [0, 1]}, "augment.scale"),
        ({"hsv": [0.1, 2, 0]}, "augment.hsv"),
    ],
)
def test_arguments_out_of_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ModernAugmentation(**options)
