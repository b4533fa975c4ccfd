"""A COCO annotation file in flat arrays: read once, checked, and shared by forked workers without a copy."""

import logging
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from yolact_pl.data import rle, segmentations
from yolact_pl.data.coco_json import DataError, Table, load_json
from yolact_pl.data.image_file import MAX_PIXELS

__all__ = ["Annotations", "DataError", "read_annotations"]

logger = logging.getLogger(__name__)

_INT64 = {"low": -(2**63), "high": 2**63 - 1}
_MAX_AREA = 1e12


@dataclass(frozen=True, eq=False, repr=False)
class Annotations:
    """The images and objects of one annotation file; objects are sorted by image.

    Images are counted i = 0, 1, ... in the file's order, objects j = 0, 1, ... within all images.
    """

    path: Path
    class_names: list[str]
    """By label: the categories sorted by id."""
    category_ids: list[int]
    """By label."""
    has_ground_truth: bool
    """False for a file that only lists images, as of COCO's test-dev."""
    summary: str | None
    """One line that says how many annotations were dropped and why; None if all are used."""

    image_ids: np.ndarray
    """[images] int64."""
    widths: np.ndarray
    """[images] int64, pixels."""
    heights: np.ndarray
    """[images] int64, pixels."""
    names: bytes
    """All file names, UTF-8."""
    name_starts: np.ndarray
    """[images + 1] int64 into `names`."""
    row_starts: np.ndarray
    """[images + 1] int64: where each image's objects start."""

    ids: np.ndarray
    """[N] int64, the file's annotation ids."""
    image_indices: np.ndarray
    """[N] int64: i of each object."""
    labels: np.ndarray
    """[N] int64, 0-based."""
    boxes: np.ndarray
    """[N, 4] float32 xyxy in pixels, clipped to the image."""
    iscrowd: np.ndarray
    """[N] bool."""
    area: np.ndarray
    """[N] float32, square pixels, as the file says or else counted from the mask."""
    outlines: segmentations.Outlines
    """The polygons and run-length codes of all objects."""

    @property
    def num_images(self) -> int:
        """How many images the file lists, with or without objects."""
        return len(self.image_ids)

    @property
    def num_annotations(self) -> int:
        """How many objects and crowd regions are left after dropping the degenerate ones."""
        return len(self.ids)

    def file_name(self, i: int) -> str:
        """The file of image i, relative to the images folder."""
        return self.names[self.name_starts[i] : self.name_starts[i + 1]].decode()

    def size(self, i: int) -> tuple[int, int]:
        """(height, width) of image i."""
        return int(self.heights[i]), int(self.widths[i])

    def rows(self, i: int) -> slice:
        """The objects of image i."""
        return slice(int(self.row_starts[i]), int(self.row_starts[i + 1]))

    def polygons(self, j: int) -> list[np.ndarray] | None:
        """The rings of object j, each float64 [points, 2] of x, y in pixels; None if it has a run-length code."""
        return self.outlines.polygons(j)

    def rle(self, j: int) -> dict[str, Any]:
        """The mask of object j in pycocotools' compressed form, {"size": [height, width], "counts": bytes}."""
        return self.outlines.rle(j, self.size(int(self.image_indices[j])))

    def mask(self, j: int) -> np.ndarray:
        """The mask of object j as uint8 [H, W] of 0 and 1, at the size of its image."""
        return coco_mask.decode(self.rle(j))


def read_annotations(path: str | Path, images_folder: str | Path | None = None) -> Annotations:
    """Read and check a COCO-format file; degenerate annotations are dropped and counted in one logged line.

    Args:
        path: the json file.
        images_folder: if given, the file of every image must exist in it.

    Raises:
        DataError: the file or one of its entries is not as the COCO format says, or image files are missing.
    """
    path = Path(path)
    content = load_json(path)
    images = Table(content, "images", noun="image", path=path)
    categories = Table(content, "categories", noun="category", path=path)
    has_ground_truth = "annotations" in content
    if not has_ground_truth:
        content["annotations"] = []
    table = Table(content, "annotations", noun="annotation", path=path)

    category_ids, class_names = _read_categories(categories)
    image_columns = _read_images(images)
    if images_folder is not None:
        _check_files(path, images.column("file_name"), Path(images_folder))

    image_indices = _look_up(table, "image_id", image_columns["image_ids"], '"images"')
    order = np.argsort(image_indices, kind="stable")
    table.rows = [table.rows[k] for k in order]
    image_indices = image_indices[order]
    sizes = np.stack((image_columns["heights"], image_columns["widths"]), 1)[image_indices]
    boxes, drops = _read_boxes(table, sizes)
    columns = {
        "ids": table.whole_numbers("id", **_INT64),
        "image_indices": image_indices,
        "labels": _look_up(table, "category_id", np.array(category_ids), '"categories"'),
        "boxes": boxes,
        "iscrowd": table.flags("iscrowd"),
        "area": table.numbers("area", np.nan, low=0, high=_MAX_AREA).astype(np.float32),
    }
    outlines, dropped_rings = segmentations.read_segmentations(table, sizes, drops)
    kept = drops.kept
    columns = {name: column[kept] for name, column in columns.items()}
    annotations = Annotations(
        path=path,
        class_names=class_names,
        category_ids=category_ids,
        has_ground_truth=has_ground_truth,
        summary=drops.summary(dropped_rings),
        row_starts=np.searchsorted(columns["image_indices"], np.arange(len(images) + 1)),
        outlines=outlines,
        **image_columns,
        **columns,
    )
    _count_missing_areas(annotations)
    if annotations.summary:
        logger.warning("%s: %s", path, annotations.summary)
    return annotations
