import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from yolact_pl.data.annotations.annotations import Annotations, read_annotations
from yolact_pl.data.annotations.rasterize import coverage, prototype_size, rasterize, semantic_size
from yolact_pl.data.augmentation.window import Window
from yolact_pl.geometry.masks import resize_masks

HEIGHT, WIDTH = 120, 160


def annotate(folder: Path, segmentations: list[Any], size: tuple[int, int] = (HEIGHT, WIDTH)) -> Annotations:
    """One image of (height, width) with these objects."""
    objects = [
        {
            "id": n,
            "image_id": 1,
            "category_id": 1,
            "bbox": [0, 0, 9, 9],
            "area": 9,
            "iscrowd": 0,
            "segmentation": s,
        }
        for n, s in enumerate(segmentations, start=1)
    ]
    content = {
        "images": [{"id": 1, "file_name": "1.png", "height": size[0], "width": size[1]}],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": objects,
    }
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return read_annotations(path)


def rectangle(x1: float, y1: float, x2: float, y2: float) -> list[float]:
    return [x1, y1, x2, y1, x2, y2, x1, y2]


def blob(rng: np.random.Generator, size: tuple[int, int]) -> list[float]:
    """A bumpy outline around a centre, somewhere in an image of (height, width)."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 20))
    radii = rng.uniform(40, 100) * rng.uniform(0.8, 1.2, 20)
    x = rng.uniform(0, size[1]) + radii * np.cos(angles)
    y = rng.uniform(0, size[0]) + radii * np.sin(angles)
    return np.stack((x.clip(0, size[1]), y.clip(0, size[0])), axis=1).ravel().tolist()


def show_slowly(mask: np.ndarray, window: Window, size: tuple[int, int]) -> np.ndarray:
    """The published way: the full mask into the window, to 550 x 550, and in the loss to the small size."""
    rows, columns = np.arange(window.height) + window.top, np.arange(window.width) + window.left
    shown = np.zeros((window.height, window.width), np.uint8)
    y = (rows >= 0) & (rows < mask.shape[0])
    x = (columns >= 0) & (columns < mask.shape[1])
    shown[np.ix_(y, x)] = mask[np.ix_(rows[y], columns[x])]
    shown = cv2.resize(np.ascontiguousarray(shown[:, ::-1] if window.flip else shown), (550, 550))
    return resize_masks(torch.from_numpy(shown)[None], size)[0].numpy()


@pytest.mark.parametrize(
    ("image_size", "prototypes"),
    [((550, 550), (138, 138)), ((400, 700), (100, 176)), ((701, 64), (176, 16))],
)  # 550 / 8 = 68.75, 700 / 8 = 87.5, 701 / 8 = 87.6, each rounded up and doubled
def test_sizes(image_size: tuple[int, int], prototypes: tuple[int, int]) -> None:
    assert prototype_size(image_size) == prototypes
    assert semantic_size(image_size) == (prototypes[0] // 2, prototypes[1] // 2)


def test_polygons_are_drawn_at_pixel_centres(tmp_path: Path) -> None:
    known = annotate(
        tmp_path, [[rectangle(40, 30, 80, 90)], [rectangle(0, 0, 20, 20), rectangle(140, 100, 160, 120)]]
    )
    (whole,) = rasterize(known, np.array([0, 1]), Window.whole((HEIGHT, WIDTH)), [(12, 16)])
    expected = np.zeros((2, 12, 16), bool)
    expected[0, 3:9, 4:8] = True
    expected[1, :2, :2] = expected[1, 10:, 14:] = True  # both parts belong to the object
    np.testing.assert_array_equal(whole, expected)

    # 40..100 x 60..180, so that half is outside: pixels of 10 x 10 again, columns mirrored.
    (part,) = rasterize(known, np.array([0]), Window(40, 60, 60, 120, True), [(12, 6)])
    expected = np.zeros((1, 12, 6), bool)
    expected[0, :3, 2:] = True  # x 40..80 is columns 0..4 of 6, mirrored 2..6; y 60..90 is rows 0..3
    np.testing.assert_array_equal(part, expected)


def test_run_lengths_keep_their_holes(tmp_path: Path) -> None:
    ring = np.zeros((HEIGHT, WIDTH), np.uint8)
    ring[20:100, 20:140] = 1
    ring[40:80, 60:100] = 0
    columns = ring.T.ravel()
    changes = np.flatnonzero(np.diff(columns)) + 1
    counts = np.diff(np.concatenate(([0], changes, [columns.size]))).tolist()
    known = annotate(tmp_path, [{"size": [HEIGHT, WIDTH], "counts": counts}, [rectangle(0, 0, 160, 120)]])

    drawn, smaller = rasterize(known, np.array([0, 1]), Window.whole((HEIGHT, WIDTH)), [(12, 16), (6, 8)])
    np.testing.assert_array_equal(drawn[0], ring[5::10, 5::10] > 0)
    np.testing.assert_array_equal(smaller[0], ring[10::20, 10::20] > 0)
    assert drawn[1].all()
    assert smaller[1].all()


def test_objects_are_drawn_in_the_order_asked_for(tmp_path: Path) -> None:
    boxes = [(0, 0, 40, 40), (80, 0, 160, 40), (0, 80, 40, 120)]
    known = annotate(tmp_path, [[rectangle(*box)] for box in boxes])
    forward, backward = (
        rasterize(known, np.array(rows), Window.whole((HEIGHT, WIDTH)), [(12, 16)])[0]
        for rows in ([0, 1, 2], [2, 0])
    )
    np.testing.assert_array_equal(backward, forward[[2, 0]])
    assert forward.any(axis=(1, 2)).all()


def test_coverage_is_the_share_of_each_pixel(tmp_path: Path) -> None:
    # Of pixels of 10 x 10: x 5 .. 30 covers half of column 0, y 10 .. 35 half of row 3.
    known = annotate(tmp_path, [[rectangle(5, 10, 30, 35)]])
    drawn = rasterize(known, np.array([0]), Window.whole((HEIGHT, WIDTH)), [(24, 32)])[0]
    expected = np.zeros((1, 12, 16), np.float32)
    expected[0, 1:4, :3] = 1
    expected[0, :, 0] /= 2
    expected[0, 3] /= 2
    np.testing.assert_array_equal(coverage(drawn), expected)
    assert coverage(np.zeros((0, 24, 32), bool)).shape == (0, 12, 16)


def test_no_objects(tmp_path: Path) -> None:
    known = annotate(tmp_path, [[rectangle(0, 0, 40, 40)]])
    masks = rasterize(known, np.zeros(0, np.int64), Window.whole((HEIGHT, WIDTH)), [(138, 138), (69, 69)])
    assert [mask.shape for mask in masks] == [(0, 138, 138), (0, 69, 69)]


def test_polygons_agree_with_resizing_full_masks_twice(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    size = (480, 640)
    known = annotate(tmp_path, [[blob(rng, size)] for _ in range(40)], size)
    ious: dict[int, list[float]] = {138: [], 69: []}
    for row in range(40):
        left, top = rng.integers(-200, 100, 2).tolist()
        window = Window(left, top, 600 - left, 440 - top, bool(row % 2))
        masks = rasterize(known, np.array([row]), window, [(138, 138), (69, 69)])
        for drawn, side in zip(masks, ious, strict=True):
            slow = show_slowly(known.mask(row), window, (side, side))
            if slow.sum() > 30 * side / 138:
                ious[side].append((drawn[0] & slow).sum() / (drawn[0] | slow).sum())
    assert len(ious[138]) > 30
    assert np.mean(ious[138]) > 0.965
    assert np.mean(ious[69]) > 0.945
