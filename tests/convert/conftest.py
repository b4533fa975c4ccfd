"""Small sets of known geometry, and the way back: what the training data reader makes of the json."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from yolact_pl.convert.coco import to_coco
from yolact_pl.convert.labeled import LabeledSet
from yolact_pl.data.annotations.annotations import Annotations, read_annotations
from yolact_pl.doctor.coco_set import SetPaths
from yolact_pl.doctor.examination import examine
from yolact_pl.doctor.kinds import Kind, Severity

OF_SMALL_SETS = {Kind.CLASS_EMPTY, Kind.NO_OBJECTS}
Masks = dict[str, list[tuple[str, np.ndarray]]]
"""Class and mask [H, W] bool of each object, by file name."""


def write_picture(path: Path, size: tuple[int, int] = (40, 60)) -> Path:
    """A gray picture of (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size[1], size[0]), (90, 90, 90)).save(path)
    return path


def indexed(path: Path, numbers: np.ndarray) -> None:
    """Write a PNG with a palette, as VOC's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(numbers.astype(np.uint8), mode="P")
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
    image.save(path)


def disc(size: tuple[int, int], x: float, y: float, radius: float) -> np.ndarray:
    """[H, W] bool: pixel centers within the radius."""
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


@pytest.fixture
def back(tmp_path: Path) -> Callable[[LabeledSet], dict[str, Annotations]]:
    """Convert a set, write it, and read each split with its images as training does; nothing is wrong."""

    def convert(labeled: LabeledSet) -> dict[str, Annotations]:
        contents = to_coco(labeled).contents
        read = {}
        for split in labeled.splits:
            path = tmp_path / f"converted_{split.name}.json"
            path.write_text(json.dumps(contents[split.name]))
            read[split.name] = read_annotations(path, split.images_folder)
            examination = examine([SetPaths("train", path, split.images_folder)], opened=None)
            kinds = {finding.kind for finding in examination.findings}
            assert {kind for kind in kinds if kind.severity is not Severity.NOTE} <= OF_SMALL_SETS
        return read

    return convert


def masks_of(annotations: Annotations) -> Masks:
    """All objects as the training data reader sees them."""
    return {
        annotations.file_name(i): [
            (annotations.class_names[annotations.labels[j]], annotations.mask(j).astype(bool))
            for j in range(annotations.num_annotations)[annotations.rows(i)]
        ]
        for i in range(annotations.num_images)
    }


def assert_same_masks(found: Masks, wanted: Masks) -> None:
    """Pixel for pixel, in any order of the objects of an image."""

    def sortable(objects: list[tuple[str, np.ndarray]]) -> list[tuple[str, bytes]]:
        return sorted((name, np.ascontiguousarray(mask).tobytes()) for name, mask in objects)

    assert found.keys() == wanted.keys()
    for name in wanted:
        assert sortable(found[name]) == sortable(wanted[name]), name


def assert_within_a_pixel(mask: np.ndarray, outline: np.ndarray) -> None:
    """Every pixel center more than one pixel from the outline [points, 2] is on its right side of it."""
    contour = outline.astype(np.float32).reshape(-1, 1, 2)
    for row, column in np.ndindex(*mask.shape):
        distance = cv2.pointPolygonTest(contour, (column + 0.5, row + 0.5), True)  # inside is positive
        if abs(distance) > 1:
            assert mask[row, column] == (distance > 0), (row, column, distance)
