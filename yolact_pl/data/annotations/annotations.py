"""COCO annotation files as flat arrays: read once, checked, shared by forked workers without a copy."""

import logging
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yolact_pl.data.annotations.categories import read_categories, unused_roots
from yolact_pl.data.annotations.coco_json import (
    CHECK_DATA,
    INT64,
    DataError,
    Table,
    load_json,
    no_garbage_collection,
)
from yolact_pl.data.annotations.drops import Drops, Reason
from yolact_pl.data.annotations.orientation import farthest_points, turn_upright
from yolact_pl.data.annotations.segmentations import Outlines, mask_api, read_segmentations, starts
from yolact_pl.images.image_file import MAX_PIXELS, is_file

__all__ = ["Annotations", "DataError", "read_annotations"]

logger = logging.getLogger(__name__)

MAX_AREA = 1e12
"""Square pixels of an object that are believed."""
MAX_OVERHANG = 1.0
"""Pixels that a box may reach out of its image, by rounding, and still be measured against as it is."""


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
    coco_boxes: np.ndarray
    """[N, 4] float64 (x, y, width, height) in pixels, to measure boxes against: as in the file, but clipped
    to the image where they reach out of it by more than `MAX_OVERHANG`."""
    iscrowd: np.ndarray
    """[N] bool."""
    area: np.ndarray
    """[N] float64, square pixels: the file's, or that of the mask where the file has none."""
    outlines: Outlines
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
        """The rings of object j, float64 [points, 2] as x, y in pixels; None if it has an RLE."""
        return self.outlines.polygons(j)

    def rle(self, j: int) -> dict[str, Any]:
        """The mask of object j in pycocotools' compressed form: "size" [height, width], "counts" bytes."""
        return self.outlines.rle(j, self.size(int(self.image_indices[j])))

    def mask(self, j: int) -> np.ndarray:
        """The mask of object j as uint8 [H, W] of 0 and 1, at the size of its image."""
        return mask_api.decode(self.rle(j))


@no_garbage_collection()
def read_annotations(
    path: str | Path, images_folder: str | Path | None = None, *, category_ids_kept: Collection[int] = ()
) -> Annotations:
    """Read and check a COCO-format file; degenerate annotations are dropped and counted in one logged line.

    Args:
        path: the json file.
        images_folder: if given, the file of every image must exist in it.
        category_ids_kept: classes of another file of the set, which are classes here even if `unused_roots`.

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

    category_ids, class_names, parents = read_categories(categories)
    image_columns = _read_images(images)
    if images_folder is not None:
        _check_files(path, images.column("file_name"), Path(images_folder))

    image_indices = _look_up(table, "image_id", image_columns["image_ids"], '"images"')
    order = np.argsort(image_indices, kind="stable")
    table.rows = [table.rows[k] for k in order]
    image_indices = image_indices[order]
    boxes = table.boxes("bbox")
    if images_folder is not None:
        reach = farthest_points(boxes, table.column("segmentation"), image_indices, len(images))
        heights, widths = image_columns["heights"], image_columns["widths"]
        turned = turn_upright(heights, widths, images.column("file_name"), Path(images_folder), reach)
        if turned is not None:
            logger.warning("%s: %s", path, turned)
    sizes = np.stack((image_columns["heights"], image_columns["widths"]), 1)[image_indices]
    boxes, coco_boxes, drops = _clip_boxes(boxes, sizes)
    labels = _look_up(table, "category_id", np.array(category_ids), '"categories"')
    roots = unused_roots(class_names, parents, np.bincount(labels, minlength=len(class_names)))
    classes = [k for k, number in enumerate(category_ids) if k not in roots or number in category_ids_kept]
    columns: dict[str, Any] = {
        "ids": table.whole_numbers("id", **INT64),
        "image_indices": image_indices,
        "labels": np.searchsorted(classes, labels),
        "boxes": boxes,
        "coco_boxes": coco_boxes,
        "iscrowd": table.flags("iscrowd"),
        "area": table.numbers("area", np.nan, low=0, high=MAX_AREA),
    }
    outlines, dropped_rings = read_segmentations(table, sizes, drops)
    kept = drops.kept
    columns = {name: column[kept] for name, column in columns.items()}
    annotations = Annotations(
        path=path,
        class_names=[class_names[label] for label in classes],
        category_ids=[category_ids[label] for label in classes],
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


def _read_images(table: Table) -> dict[str, Any]:
    if len(table) == 0:
        raise DataError(f'{table.path} has no images; list at least one under "images".')
    ids = table.unique_ids()
    widths = table.whole_numbers("width", low=1, high=MAX_PIXELS)
    heights = table.whole_numbers("height", low=1, high=MAX_PIXELS)
    for row in np.flatnonzero(widths * heights > MAX_PIXELS)[:1]:
        raise table.error(
            row, f"has more than {MAX_PIXELS} pixels", "correct its width and height, or tile it"
        )
    names = [name.encode() for name in table.strings("file_name")]
    return {
        "image_ids": ids,
        "widths": widths,
        "heights": heights,
        "names": b"".join(names),
        "name_starts": starts(np.fromiter(map(len, names), np.int64, len(names))),
    }


def _look_up(table: Table, key: str, known: np.ndarray, listed: str) -> np.ndarray:
    """Where the ids under a key are in the known ones."""
    ids = table.whole_numbers(key, **INT64)
    order = np.argsort(known)
    position = np.minimum(np.searchsorted(known, ids, sorter=order), len(known) - 1)
    found = order[position]
    for row in np.flatnonzero(known[found] != ids)[:1]:
        problem = f"has the {key} {ids[row]}, which is not in {listed}"
        raise table.error(row, problem, "add it there or remove the annotation")
    return found


def _clip_boxes(given: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray, Drops]:
    """`boxes` and `coco_boxes` of `Annotations`, and which are empty; sizes [N, 2] are (height, width)."""
    drops = Drops(len(given))
    drops.add(np.any(given[:, 2:] <= 0, axis=1), Reason.ZERO_SIZE)
    corners = given.copy()
    with np.errstate(over="ignore"):  # an infinite end is clipped as well
        corners[:, 2:] += given[:, :2]
    clipped = np.clip(corners, 0, np.tile(sizes[:, ::-1], 2))
    boxes = clipped.astype(np.float32)
    drops.add(np.any(boxes[:, 2:] <= boxes[:, :2], axis=1), Reason.OUTSIDE)
    sticks_out = (np.abs(corners - clipped) > MAX_OVERHANG).any(axis=1)
    clipped[:, 2:] -= clipped[:, :2]
    return boxes, np.where(sticks_out[:, None], clipped, given), drops


def _check_files(path: Path, names: list[str], folder: Path) -> None:
    """Every named file must be in the folder; each folder is listed once, not asked for every name."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the folder of the images of {path}.")
    listed: dict[str, set[str]] = {}
    missing = []
    for name in names:
        parent, _, last = name.rpartition("/")
        if parent not in listed:
            listed[parent] = _list_folder(folder / parent)
        # Names that only differ in upper and lower case are the same file on some systems.
        if last not in listed[parent] and not is_file(folder / name):
            missing.append(name)
    if missing:
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise DataError(
            f"{len(missing)} of the {len(names)} images of {path} are not in {folder} ({shown}); "
            f"correct the images folder or get the missing files. {CHECK_DATA}"
        )


def _list_folder(folder: Path) -> set[str]:
    """The names in a folder; none if it does not exist."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if not entry.is_dir()}
    except OSError:
        return set()


def _count_missing_areas(annotations: Annotations) -> None:
    for j in np.flatnonzero(np.isnan(annotations.area)):
        annotations.area[j] = mask_api.area(annotations.rle(int(j)))
