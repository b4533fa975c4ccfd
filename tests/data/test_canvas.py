"""Samples of several images, against one pixel at a time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from yolact_pl.data.annotations.annotations import read_annotations
from yolact_pl.data.augmentation.canvas import Augmentation, Canvas, Images, Layer
from yolact_pl.data.augmentation.modern import ModernAugmentation
from yolact_pl.data.augmentation.transforms import NoAugmentation
from yolact_pl.data.augmentation.window import Window
from yolact_pl.data.dataset import TrainDataset
from yolact_pl.images.placement import Placement, Resize

Write = Callable[..., tuple[Path, Path]]
FILL = (9, 8, 7)
SIZE = (64, 80)


MOSAIC, PASTE = (
    ModernAugmentation(vertical_flip=0.5, quarter_turn=0.5, translate=0, hsv=(0, 0, 0), fill=FILL, **options)
    for options in ({"mosaic": 1.0}, {"copy_paste": 1.0, "scale": (1, 1)})
)


class Recorded:
    """Remembers the canvases of an augmentation."""

    def __init__(self, augment: Augmentation) -> None:
        self.augment, self.fill, self.canvases = augment, augment.fill, []

    def at(self, progress: float) -> "Recorded":
        return self

    def compose(self, *arguments: Any) -> Canvas:
        self.canvases.append(self.augment.compose(*arguments))
        return self.canvases[-1]

    def recolour(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.augment.recolour(pixels, rng)


def source_of(layer: Layer, y: float, x: float) -> tuple[float, float] | None:
    """Source coordinates of a point of the canvas; None outside the layer's placement."""
    window, place = layer.window, layer.window.placement
    assert place is not None
    y, x = (y - place.top) / place.height, (x - place.left) / place.width
    if not (0 <= y < 1 and 0 <= x < 1):
        return None
    if window.transpose:
        y, x = x, y
    x = 1 - x if window.flip else x
    y = 1 - y if window.vertical_flip else y
    return window.top + y * window.height, window.left + x * window.width


class Source(NamedTuple):
    """What the slow way looks at for one layer."""

    layer: Layer
    image: np.ndarray
    boxes: np.ndarray
    """[rows, 4] xyxy of all that the layer may show: the objects of `tiny_coco` are rectangles."""

    def objects_at(self, y: float, x: float) -> np.ndarray:
        """[rows] bool: which cover a point of the source."""
        x1, y1, x2, y2 = self.boxes.T
        return (x1 <= x) & (x < x2) & (y1 <= y) & (y < y2)


def sources_of(dataset: TrainDataset, canvas: Canvas) -> list[Source]:
    """Bottom layer first."""
    sources = []
    for layer in canvas.layers:
        boxes = dataset.boxes(layer.image)
        chosen = slice(None) if layer.stencil is None else layer.stencil
        sources.append(Source(layer, dataset.read(layer.image), boxes[chosen]))
    return sources


def top_layer(sources: list[Source], y: float, x: float) -> tuple[int, float, float] | None:
    """Which layer a point of the canvas shows, and where in its source."""
    for number, source in reversed(list(enumerate(sources))):
        place = source_of(source.layer, y, x)
        height, width = source.image.shape[:2]
        if place is None or not (0 <= place[0] < height and 0 <= place[1] < width):
            continue
        if source.layer.stencil is None or source.objects_at(*place).any():
            return number, *place
    return None


def bilinear(image: np.ndarray, window: Window, y: float, x: float) -> np.ndarray:
    """Between pixel centres, those of the window's part of the image only."""
    top, left = max(window.top, 0), max(window.left, 0)
    part = image[top : window.top + window.height, left : window.left + window.width].astype(float)
    y, x = np.clip(y - top - 0.5, 0, part.shape[0] - 1), np.clip(x - left - 0.5, 0, part.shape[1] - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, part.shape[0] - 1), min(x0 + 1, part.shape[1] - 1)
    upper = part[y0, x0] * (1 - x + x0) + part[y0, x1] * (x - x0)
    lower = part[y1, x0] * (1 - x + x0) + part[y1, x1] * (x - x0)
    return upper * (1 - y + y0) + lower * (y - y0)


def make_set(tiny_coco: Write, augment: Augmentation, **options: Any) -> tuple[TrainDataset, Recorded]:
    path, folder = tiny_coco()
    recorded = Recorded(augment)
    known = read_annotations(path, folder)
    return TrainDataset(known, folder, augment=recorded, **{"image_size": SIZE, **options}), recorded


@pytest.mark.parametrize("augment", [MOSAIC, PASTE])
def test_pixels_are_those_of_the_uppermost_layer(augment: Augmentation, tiny_coco: Write) -> None:
    dataset, recorded = make_set(tiny_coco, augment)
    for index in range(3):
        pixels, _ = dataset[(0, index)]
        sources = sources_of(dataset, recorded.canvases[-1])
        wrong = 0
        for i, j in np.ndindex(*SIZE):
            shown = top_layer(sources, i + 0.5, j + 0.5)
            expected = np.array(FILL)
            if shown is not None:
                source = sources[shown[0]]
                expected = bilinear(source.image, source.layer.window, *shown[1:])
            wrong += bool(np.abs(pixels[:, i, j].numpy() - expected).max() > 3)
        # A polygon's border runs through pixel centres here and there, where either side is right.
        assert wrong <= (0 if augment is MOSAIC else 0.01 * SIZE[0] * SIZE[1])


@pytest.mark.parametrize("augment", [MOSAIC, PASTE])
def test_masks_end_where_another_layer_begins(augment: Augmentation, tiny_coco: Write) -> None:
    dataset, recorded = make_set(tiny_coco, augment, image_size=(72, 88))  # no edge lies on pixel centres
    for index in (0, 1, 3, 4):
        _, target = dataset[(1, index)]
        found = target["masks"].numpy()
        sources = sources_of(dataset, recorded.canvases[-1])
        expected = [np.zeros((len(source.boxes), *found.shape[1:]), bool) for source in sources]
        for i, j in np.ndindex(*found.shape[1:]):
            shown = top_layer(sources, 4 * i + 2, 4 * j + 2)
            if shown is not None:
                number, y, x = shown
                expected[number][:, i, j] = sources[number].objects_at(y, x)
        # Each object that was kept is one of those expected, in their order; what was dropped is out of its
        # window or hidden. Outlines are drawn in fifths of a pixel, and pasted ones may lie on pixel centres.
        remaining = iter(np.concatenate(expected))
        for mask in found:
            assert any((mask ^ other).sum() <= 0.03 * mask.size for other in remaining)
        assert found.any(axis=(1, 2)).all()
        assert found.sum(axis=0).max() <= 5


@dataclass(frozen=True)
class Given(NoAugmentation):
    """Image 0 on the whole canvas and one more layer, image 4."""

    min_visible: float | None = None
    place: tuple[int, int, int, int] = (0, 0, 64, 80)
    stencil: tuple[int, ...] | None = None

    def compose(self, image: int, images: Images, resize: Resize, rng: np.random.Generator) -> Canvas:
        below = replace(Window.whole(images.size(0)), placement=Placement.whole(resize.size))
        above = replace(Window.whole(images.size(4)), placement=Placement(resize.size, *self.place))
        stencil = None if self.stencil is None else np.array(self.stencil)
        return Canvas(resize.size, (Layer(0, below), Layer(4, above, stencil)), self.min_visible)


def test_a_box_recedes_with_its_mask(tiny_coco: Write) -> None:
    # Without a cover: x 2.67 .. 42.67, y 6.4 .. 38.4, and the crowd x 40 .. 80, y 0 .. 32.
    dataset, _ = make_set(tiny_coco, Given(place=(0, 0, 24, 80)))
    boxes = dataset[(0, 0)][1]["boxes"]
    torch.testing.assert_close(boxes[0], torch.tensor([8 / 3, 24, 128 / 3, 38.4]))
    torch.testing.assert_close(boxes[1], torch.tensor([40.0, 24, 80, 32]))


def test_what_is_covered_completely_is_dropped(tiny_coco: Write) -> None:
    dataset, _ = make_set(tiny_coco, Given(place=(0, 0, 40, 80)))
    for soft in (False, True):
        dataset.soft_masks = soft
        _, target = dataset[(0, 0)]
        assert len(target["boxes"]) == len(target["masks"]) == len(dataset.boxes(4))
        assert (target["boxes"][:, 3] <= 40).all()


@pytest.mark.parametrize(("min_visible", "kept"), [(None, 2), (0.2, 2), (0.3, 1), (0.6, 0)])
def test_objects_covered_too_much_are_dropped(tiny_coco: Write, min_visible: float | None, kept: int) -> None:
    # Of the 8 rows of its mask the object keeps 4, of 8 the crowd region 2.
    dataset, _ = make_set(tiny_coco, Given(min_visible=min_visible, place=(0, 0, 24, 80)))
    assert len(dataset[(0, 0)][1]["boxes"]) == kept + len(dataset.boxes(4))


def test_a_stencil_pastes_its_objects_only(tiny_coco: Write) -> None:
    dataset, _ = make_set(tiny_coco, Given(stencil=(1, 3), place=(32, 40, 32, 40)))
    _, target = dataset[(0, 0)]
    assert len(target["boxes"]) == 4  # two of each
    assert (
        target["labels"].tolist()[2:]
        == dataset.annotations.labels[dataset.annotations.rows(4)][[1, 3]].tolist()
    )


def test_each_source_is_decoded_once(tiny_coco: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, recorded = make_set(tiny_coco, MOSAIC)
    read = dataset.read
    names: list[int] = []
    monkeypatch.setattr(
        dataset, "read", lambda index, **options: names.append(index) or read(index, **options)
    )
    for epoch in range(4):
        names.clear()
        dataset[(epoch, 1)]
        assert sorted(names) == sorted({layer.image for layer in recorded.canvases[-1].layers})


def test_other_images_come_from_the_training_set_only(tiny_coco: Write) -> None:
    dataset, recorded = make_set(tiny_coco, MOSAIC, indices=[3, 1])
    for epoch in range(6):
        _, target = dataset[(epoch, 0)]
        assert target["image_id"] == 40
        assert {layer.image for layer in recorded.canvases[-1].layers} <= {0, 1}


def test_a_layer_of_another_canvas_is_refused() -> None:
    with pytest.raises(ValueError, match="layer of image 2 is not placed"):
        Canvas(SIZE, (Layer(2, Window(0, 0, 5, 5)),))
