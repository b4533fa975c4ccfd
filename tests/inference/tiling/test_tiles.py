import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.results.same import assert_same
from yolact_pl.geometry.nms import exact_nms, fast_nms
from yolact_pl.inference.tiling import tiles
from yolact_pl.inference.tiling.merging import keep_best
from yolact_pl.inference.tiling.tiles import predict_tiled, tile_layout, tile_overlap
from yolact_pl.results.detections import Detections


@dataclass
class ColorDetector:
    """Finds what has one color: each other than black in an image is an object, its label in blue.

    The smaller the visible part, the better its score: the worst for a merge.
    """

    blind_above: int | None = None
    """Sees nothing in images with more pixels a side."""
    calls: list[list[tuple[int, int]]] = field(default_factory=list)

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        self.calls.append([image.shape[:2] for image in images])
        return [self.detect(image) for image in images]

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        height, width = image.shape[:2]
        packed = pack(image)
        colors = colors_in(packed)
        if self.blind_above is not None and max(height, width) > self.blind_above:
            colors = []
        masks = [packed == color for color in colors]
        areas = np.array([mask.sum() for mask in masks])
        order = areas.argsort(kind="stable")
        return Detections.from_masks(
            boxes=[box_of(masks[i]) for i in order],
            scores=[1 / (1 + areas[i]) for i in order],
            mask_scores=[0.5 / (1 + areas[i]) for i in order],
            labels=[colors[i] % 256 for i in order],
            masks=np.array([masks[i] for i in order], dtype=bool).reshape(-1, height, width),
        )


def pack(image: NDArray[np.uint8]) -> NDArray[np.int32]:
    return image.astype(np.int32) @ np.array([65536, 256, 1], np.int32)


def colors_in(packed: NDArray[np.int32]) -> list[int]:
    return np.unique(packed[packed > 0]).tolist()


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    y, x = mask.nonzero()
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def paint(size: tuple[int, int], shapes: Sequence[tuple[int, int, int, int, bool]]) -> NDArray[np.uint8]:
    """x, y, width, height, and whether it is an ellipse; shapes that would touch earlier ones are left out.

    Labels alternate between two.
    """
    image = np.zeros((*size, 3), dtype=np.uint8)
    for number, (x, y, width, height, ellipse) in enumerate(shapes):
        layer = np.zeros(size, dtype=np.uint8)
        if ellipse:
            rows, columns = np.mgrid[:height, :width] + 0.5
            inside = (rows / height - 0.5) ** 2 + (columns / width - 0.5) ** 2 <= 0.25
            layer[y : y + height, x : x + width] = inside[: size[0] - y, : size[1] - x]
        else:
            layer[y : y + height, x : x + width] = 1
        if not image[cv2.dilate(layer, np.ones((3, 3))).astype(bool)].any():
            image[layer.astype(bool)] = (1 + number // 250, number % 250, 7 + number % 2)
    return image


def assert_found_once(found: Detections, image: NDArray[np.uint8]) -> None:
    """Every color of the image is one detection, with exactly its box, mask and label."""
    packed = pack(image)
    truth = {(*box_of(packed == color), color % 256): packed == color for color in colors_in(packed)}
    boxes = zip(found.boxes.tolist(), found.labels.tolist(), strict=True)
    keys = [(*map(int, box), label) for box, label in boxes]
    assert sorted(keys) == sorted(truth)
    assert found.masks.shape == (len(keys), *image.shape[:2])
    for key, mask in zip(keys, found.masks, strict=True):
        np.testing.assert_array_equal(mask, truth[key])
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    np.testing.assert_allclose(found.mask_scores, found.scores / 2, rtol=1e-5)


SIZES = st.tuples(st.integers(1, 300), st.integers(1, 300))


@given(size=SIZES, tile=st.integers(1, 120), overlap=st.floats(0, 0.9))
def test_tiles_cover_the_picture_and_stay_inside(size: tuple[int, int], tile: int, overlap: float) -> None:
    layout = tile_layout(size, tile, overlap)
    shared = tile_overlap(tile, overlap)
    assert len(set(layout)) == len(layout)
    for axis, length in ((0, size[1]), (1, size[0])):
        spans = sorted({(rectangle[axis], rectangle[axis + 2]) for rectangle in layout})
        assert spans[0][0] == 0
        assert spans[-1][1] == length
        assert all(end - start == min(tile, length) for start, end in spans)
        gaps = [before[1] - after[0] for before, after in itertools.pairwise(spans)]
        assert all(gap == shared for gap in gaps[:-1])
        assert all(gap >= shared for gap in gaps[-1:])
    rows = {rectangle[1] for rectangle in layout}
    columns = {rectangle[0] for rectangle in layout}
    assert len(layout) == len(rows) * len(columns)


def test_layout_by_hand() -> None:
    # Steps of 640 - 128 = 512: columns 0, 512 and, pushed inside, 1000 - 640 = 360 instead of 512.
    assert tile_layout((480, 1000), 640, 0.2) == [(0, 0, 640, 480), (360, 0, 1000, 480)]
    assert tile_layout((640, 640), 640, 0.2) == [(0, 0, 640, 640)]
    assert tile_layout((3, 5), 2, 0.5) == [
        (x, y, x + 2, y + 2) for y in (0, 1) for x in (0, 1, 2, 3)
    ]  # fmt: skip


@pytest.mark.parametrize(("tile", "overlap"), [(0, 0.2), (64, -0.1), (64, 0.95), (64, float("nan"))])
def test_refused_options(tile: int, overlap: float) -> None:
    with pytest.raises(ValueError, match="expected the s"):
        predict_tiled(ColorDetector(), np.zeros((99, 99, 3), np.uint8), tile=tile, overlap=overlap)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[NDArray[np.uint8], int, float]:
    """A picture of objects smaller than the overlap, tile and overlap."""
    height, width = draw(st.integers(20, 160)), draw(st.integers(20, 160))
    tile, overlap = draw(st.integers(24, 90)), draw(st.floats(0.15, 0.6))
    largest = tile_overlap(tile, overlap) - 1
    shapes = []
    for _ in range(draw(st.integers(0, 12))):
        w, h = draw(st.integers(1, min(largest, width))), draw(st.integers(1, min(largest, height)))
        place = draw(st.integers(0, width - w)), draw(st.integers(0, height - h))
        shapes.append((*place, w, h, draw(st.booleans())))
    return paint((height, width), shapes), tile, overlap


@settings(max_examples=150, deadline=None)
@given(scene=scenes(), nms=st.sampled_from(["fast", "exact", "cross_class"]))
def test_objects_smaller_than_the_overlap_are_found_once_and_exactly(
    scene: tuple[NDArray[np.uint8], int, float], nms: str
) -> None:
    image, tile, overlap = scene
    found = predict_tiled(ColorDetector(), image, tile=tile, overlap=overlap, nms=nms)
    assert_found_once(found, image)


@settings(max_examples=40, deadline=None)
@given(scene=scenes(), wide=st.integers(60, 150), high=st.integers(60, 150))
def test_objects_larger_than_a_tile_come_from_the_whole_picture(
    scene: tuple[NDArray[np.uint8], int, float], wide: int, high: int
) -> None:
    small, tile, overlap = scene
    image = np.zeros((small.shape[0] + 160, max(small.shape[1], 160), 3), np.uint8)
    image[: small.shape[0], : small.shape[1]] = small
    image[small.shape[0] + 2 :][3 : 3 + high, 4 : 4 + wide] = (99, 99, 7)
    found = predict_tiled(ColorDetector(), image, tile=tile, overlap=overlap)
    assert_found_once(found, image)


@settings(max_examples=40, deadline=None)
@given(
    x=st.integers(0, 100),
    y=st.integers(0, 100),
    width=st.integers(1, 100),
    height=st.integers(1, 100),
    ellipse=st.booleans(),
)
def test_cut_parts_are_joined_where_the_whole_picture_shows_nothing(
    x: int, y: int, width: int, height: int, ellipse: bool
) -> None:
    image = paint((200, 200), [(x, y, width, height, ellipse)])
    found = predict_tiled(ColorDetector(blind_above=64), image, tile=64, overlap=0.5)
    assert_found_once(found, image)


def test_neighbours_of_one_class_at_a_border_stay_two() -> None:
    # Tiles 0..100 and 80..180: the left object is cut by the first, the right one by the second tile.
    image = paint((90, 180), [(60, 20, 28, 30, False), (90, 20, 60, 30, False), (10, 60, 9, 9, True)])
    image[image[..., 2] > 0, 2] = 7
    assert_found_once(predict_tiled(ColorDetector(), image, tile=100, overlap=0.2), image)


def test_a_small_object_on_a_large_one_of_its_class_stays() -> None:
    image = paint((200, 200), [(10, 10, 180, 180, False)])
    image[70:85, 60:75] = (5, 5, 7)
    image[image[..., 2] > 0, 2] = 7
    assert_found_once(predict_tiled(ColorDetector(), image, tile=80, overlap=0.25), image)


def test_a_picture_not_larger_than_a_tile_is_predicted_as_it_is() -> None:
    image = paint((60, 64), [(5, 5, 20, 30, True), (40, 2, 9, 50, False)])
    detector = ColorDetector()
    found = predict_tiled(detector, image, tile=64, overlap=0.2)
    assert detector.calls == [[(60, 64)]]
    assert_same(found, detector([image])[0])


def test_no_objects() -> None:
    found = predict_tiled(ColorDetector(), np.zeros((100, 130, 3), np.uint8), tile=64)
    assert found.masks.shape == (0, 100, 130)
    assert found.boxes.shape == (0, 4)
    assert found.labels.dtype == np.int64


def test_tiles_come_in_batches_after_the_whole_picture() -> None:
    detector = ColorDetector()
    predict_tiled(detector, np.zeros((100, 200, 3), np.uint8), tile=64, overlap=0.2, batch_size=3)
    # Steps of 51: rows 0, 36; columns 0, 51, 102, 136.
    assert detector.calls == [[(100, 200)], *[[(64, 64)] * n for n in (3, 3, 2)]]


def test_only_the_best_are_kept() -> None:
    shapes = [(x, y, 4 + x // 20, 4 + y // 20, False) for x in range(0, 190, 20) for y in range(0, 190, 20)]
    image = paint((200, 200), shapes)
    every = predict_tiled(ColorDetector(), image, tile=64)
    assert_found_once(every, image)
    few = predict_tiled(ColorDetector(), image, tile=64, max_detections=7)
    assert few.scores.tolist() == every.scores.tolist()[:7]
    assert few.masks.shape == (7, 200, 200)


def test_a_huge_picture_is_shown_reduced_and_its_masks_are_enlarged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "LARGEST_WHOLE", 90)
    image = paint((240, 360), [(40, 60, 240, 120, False)])
    detector = ColorDetector()
    found = predict_tiled(detector, image, tile=100, overlap=0.2)
    assert detector.calls[0] == [(60, 90)]
    assert found.boxes.tolist() == [[40, 60, 280, 180]]  # multiples of the reduction by 4
    expected = (image > 0).any(axis=2)
    assert (found.masks[0] != expected).sum() <= 4  # bilinear: its corners are rounded


def test_cross_class_lets_one_label_win() -> None:
    """Two detectors' labels for one box, as two tiles may give them."""

    def detect(images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        found = enumerate(ColorDetector()(images))
        return [replace(detections, labels=detections.labels + number) for number, detections in found]

    image = paint((64, 112), [(52, 20, 8, 8, False)])  # tiles 0..64 and 48..112 show it complete
    assert len(predict_tiled(detect, image, tile=64, overlap=0.25).labels) == 2
    assert len(predict_tiled(detect, image, tile=64, overlap=0.25, nms="cross_class").labels) == 1


@pytest.mark.parametrize(("cut_score", "expected"), [(0.5, 1), (0.9, 2)])
def test_a_cut_part_of_another_class_gives_way_to_a_surer_complete_object(
    cut_score: float, expected: int
) -> None:
    image = paint((64, 112), [(30, 20, 24, 20, False)])  # tiles 0..64 and 48..112: the second shows 6 columns

    def detect(images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        found = []
        for detections in ColorDetector()(images):
            cut = detections.boxes[:, 0] == 0
            labels, scores = np.where(cut, 3, 8), np.where(cut, cut_score, 0.6)
            found.append(replace(detections, labels=labels, scores=scores))
        return found

    found = predict_tiled(detect, image, tile=64, overlap=0.25)
    assert sorted(found.labels.tolist()) == [3, 8][-expected:]


@settings(max_examples=100, deadline=None)
@given(
    boxes=st.lists(st.tuples(*[st.integers(0, 12)] * 4), max_size=30),
    seed=st.integers(0, 99),
    threshold=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    fast=st.booleans(),
)
def test_suppression_is_that_of_an_image(
    boxes: list[tuple[int, int, int, int]], seed: int, threshold: float, fast: bool
) -> None:
    corners = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], dtype=np.float32).reshape(-1, 4)
    scores = np.random.default_rng(seed).permutation(len(boxes)).astype(np.float32)
    kept = keep_best(corners, scores, threshold, by_dropped=fast)
    tensors = torch.from_numpy(corners), torch.from_numpy(scores)[:, None]
    limits = {"iou_threshold": threshold, "max_detections": len(boxes)}
    if fast:
        expected, _, _ = fast_nms(*tensors, **limits, max_candidates=len(boxes))
    else:
        expected, _, _ = exact_nms(*tensors, **limits, score_threshold=-1)
    assert kept == expected.tolist()
