"""Tolerant reading of a COCO file and its images folder: mistakes become findings, not errors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from yolact_pl.data.annotations.coco_json import (
    DataError,
    is_usable_text,
    json_type,
    load_json,
    no_garbage_collection,
)
from yolact_pl.doctor.columns import (
    column,
    finite_boxes,
    finite_numbers,
    look_up,
    rows_not_whole,
    rows_repeated,
)
from yolact_pl.doctor.findings import Finding
from yolact_pl.doctor.kinds import Kind
from yolact_pl.images.image_file import MAX_PIXELS

Rows = list[dict[str, Any]]


class SetPaths(NamedTuple):
    """What a set is read from."""

    split: str
    """"train" or "val"."""
    json: Path
    images: Path | None
    """The folder of the image files, if it is known."""


@dataclass(frozen=True, eq=False, repr=False)
class CocoSet:
    """The lists of a file without entries that are no objects, and their usable values as arrays."""

    split: str
    """"train" or "val"."""
    path: Path
    """The annotation file."""
    folder: Path | None
    """Of the image files."""
    content: dict[str, Any]
    """The whole file; empty if it cannot be read."""
    images: Rows
    annotations: Rows
    categories: Rows

    names: list[str | None]
    """By image: its file_name, None if that cannot be used."""
    sizes: np.ndarray
    """[images, 2] float64 height, width in pixels; NaN where they cannot be used."""
    image_of: np.ndarray
    """[N] int64: the row of each annotation's image; -1 if there is none."""
    category_of: np.ndarray
    """[N] int64: the row of each annotation's category; -1 if there is none."""
    boxes: np.ndarray
    """[N, 4] float64 x, y, width, height in pixels, as the file says; NaN where they cannot be used."""
    areas: np.ndarray
    """[N] float64 square pixels, as the file says; NaN where it does not."""
    iscrowd: np.ndarray
    """[N] bool."""
    repeated_images: dict[int, int]
    """Rows whose id has come before, and where it came first: annotations name the first one."""
    repeated_categories: dict[int, int]
    """As of the images."""

    @property
    def annotation_sizes(self) -> np.ndarray:
        """[N, 2] float64 height, width of each annotation's image; NaN where it is not known."""
        padded = np.concatenate((self.sizes, np.full((1, 2), np.nan)))  # where -1 finds it
        return padded[self.image_of]

    def image_file(self, row: int) -> Path | None:
        """The file of an image, None if it is not known."""
        name = self.names[row]
        return None if name is None or self.folder is None else self.folder / name


@no_garbage_collection()
def read_set(paths: SetPaths) -> tuple[CocoSet, list[Finding]]:
    """Read a COCO file; findings are those about the file as a whole and its three lists."""
    split, path, folder = paths
    findings = []
    content: dict[str, Any] = {}
    try:
        content = load_json(path)
    except DataError as error:
        findings.append(Finding(Kind.JSON_UNREADABLE, split, str(error)))
    images, annotations, categories = (
        _rows(content, key, split, findings) for key in ("images", "annotations", "categories")
    )
    image_of = _look_up(annotations, "image_id", images)
    category_of = _look_up(annotations, "category_id", categories)
    coco_set = CocoSet(
        split=split,
        path=path,
        folder=folder,
        content=content,
        images=images,
        annotations=annotations,
        categories=categories,
        names=[name if is_usable_text(name) else None for name in column(images, "file_name")],
        sizes=_sizes(images),
        image_of=image_of,
        category_of=category_of,
        boxes=finite_boxes(column(annotations, "bbox")),
        areas=finite_numbers(column(annotations, "area")),
        iscrowd=np.array([bool(value) for value in column(annotations, "iscrowd")], bool),
        repeated_images=rows_repeated(column(images, "id")),
        repeated_categories=rows_repeated(column(categories, "id")),
    )
    return coco_set, findings


def _rows(content: dict[str, Any], key: str, split: str, findings: list[Finding]) -> Rows:
    """The objects of one of the file's lists."""
    rows = content.get(key)
    if not isinstance(rows, list):
        if content and key == "annotations" and key not in content:
            findings.append(Finding(Kind.ANNOTATIONS_MISSING, split, 'there is no "annotations"'))
        elif content:
            problem = f"is a {json_type(rows)}" if key in content else "is missing"
            findings.append(Finding(Kind.LIST_MISSING, split, f'"{key}" {problem}'))
        return []
    if not rows and key != "annotations":
        findings.append(Finding(Kind.LIST_MISSING, split, f'"{key}" is empty'))
    if set(map(type, rows)) <= {dict}:
        return rows
    for position, row in enumerate(rows):
        if type(row) is not dict:
            detail = f'entry {position} of "{key}" is a {json_type(row)}'
            findings.append(Finding(Kind.ENTRY_NOT_OBJECT, split, detail))
    return [row for row in rows if type(row) is dict]


def _look_up(annotations: Rows, key: str, known: Rows) -> np.ndarray:
    """Rows that the ids under a key mean; an id also finds itself written as text, or text as a number."""
    values, ids = column(annotations, key), column(known, "id")
    found = look_up(values, ids)
    unknown = np.flatnonzero(found < 0)
    if len(unknown):
        written = [None if value is None else str(value) for value in ids]
        found[unknown] = look_up([str(values[row]) for row in unknown], written)
    return found


def _sizes(images: Rows) -> np.ndarray:
    sizes = np.full((len(images), 2), np.nan)
    for side, key in enumerate(("height", "width")):
        values = column(images, key)
        for row in rows_not_whole(values, 1, MAX_PIXELS):
            values[row] = np.nan
        sizes[:, side] = values
    sizes[np.isnan(sizes).any(axis=1) | (sizes.prod(axis=1) > MAX_PIXELS)] = np.nan
    return sizes
