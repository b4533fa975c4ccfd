"""Labeled images to the content of COCO json files."""

import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yolact_pl.convert.labeled import EntryError, LabeledImage, LabeledObject, LabeledSet, Value, attempt
from yolact_pl.data.annotations.annotations import DataError
from yolact_pl.data.annotations.segmentations import mask_api

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Conversion:
    """The result of a conversion."""

    contents: dict[str, dict[str, Any]]
    """The COCO json of each split, by its name."""
    left_out: list[EntryError]
    """Entries that could not be used."""


def to_coco(
    labeled: LabeledSet, *, strict: bool = False, on_image: Callable[[], object] = lambda: None
) -> Conversion:
    """Read all images of a set; images, objects and classes are numbered from 1.

    Polygons stay polygons, to a hundredth of a pixel; masks become run-length codes, which are exact. Classes
    with the same name keep their own ids; the later ones get their index as a suffix.

    Args:
        labeled: from one of the readers.
        strict: raise for the first entry that cannot be used instead of leaving it out.
        on_image: called after each image.

    Raises:
        DataError: from the reader; no image or no object is left.
    """
    writer = _Writer(labeled.class_names, strict=strict)
    contents = {}
    for split in labeled.splits:
        contents[split.name] = writer.write(split.images, split.images_folder, on_image)
    categories, numbers = writer.categories()
    for content in contents.values():
        content["categories"] = categories
        for row in content["annotations"]:
            row["category_id"] = numbers[row["category_id"]]
    reasons = f" Left out: {' '.join(describe(writer.left_out))}" if writer.left_out else ""
    if not any(content["images"] for content in contents.values()):
        found = "can be used" if writer.left_out else "was found"
        raise DataError(f"no image {found}; look at the folder that source names.{reasons}")
    if not any(content["annotations"] for content in contents.values()):
        raise DataError(
            f"no object was found in any of the images; look at the format that from= names.{reasons}"
        )
    return Conversion(contents, writer.left_out)


def describe(left_out: list[EntryError]) -> list[str]:
    """One line for each kind of mistake: how often it occurs, and the first occurrence."""
    counts = Counter(error.kind for error in left_out)
    first = {error.kind: error for error in reversed(left_out)}
    return [f"{count} x {kind}, the first: {first[kind]}" for kind, count in counts.most_common()]


class _Writer:
    """Counts ids over all splits, and collects the classes that occur."""

    def __init__(self, class_names: list[str] | None, *, strict: bool) -> None:
        self._class_names = class_names
        self._strict = strict
        self._seen: set[int | str] = set()
        self._num_images = 0
        self._num_objects = 0
        self.left_out: list[EntryError] = []

    def categories(self) -> tuple[list[dict[str, Any]], dict[int | str, int]]:
        """COCO's categories, and the category id of each label."""
        labels: list[int | str]
        if self._class_names is None:  # numbers by their value, then words
            labels = sorted(self._seen, key=lambda label: _number_first(str(label)))
            names = [str(label) for label in labels]
        else:
            labels = [*range(len(self._class_names))]
            names = _distinct(self._class_names)
        categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
        by_name = {name: number for number, name in enumerate(names, 1)}
        return categories, by_name | {label: number for number, label in enumerate(labels, 1)}

    def write(
        self, images: Iterable[LabeledImage | EntryError], folder: Path, on_image: Callable[[], object]
    ) -> dict[str, Any]:
        """One split; `category_id` is the object's label until all classes are known."""
        rows, annotations, places = [], [], {}
        for entry in images:
            on_image()
            if (image := self._usable(entry)) is None:
                continue
            row = self._usable(attempt(functools.partial(_image_row, image, folder, places)))
            if row is None:
                continue
            self._num_images += 1
            rows.append({"id": self._num_images} | row)
            for labeled_object in filter(None, map(self._usable, image.objects)):
                annotation = attempt(functools.partial(self._annotation, labeled_object, image.size))
                if (annotation := self._usable(annotation)) is not None:
                    annotations.append(annotation)
        return {"images": rows, "annotations": annotations, "categories": []}

    def _usable(self, entry: Value | EntryError) -> Value | None:
        """The entry itself, or None after it was left out."""
        if not isinstance(entry, EntryError):
            return entry
        if self._strict:
            raise entry
        self.left_out.append(entry)
        return None

    def _annotation(self, labeled_object: LabeledObject, size: tuple[int, int]) -> dict[str, Any]:
        label, place = labeled_object.label, labeled_object.place
        if isinstance(label, str) and self._class_names is not None and label not in self._class_names:
            raise EntryError(
                "unknown class",
                f"{place} has the class {label!r}, which is not among {', '.join(self._class_names)}.",
            )
        segmentation, box, area = _outline(labeled_object, size)
        if area == 0:
            raise EntryError("object without a pixel", f"{place} covers no pixel of its image.")
        self._seen.add(label)
        self._num_objects += 1
        return {
            "id": self._num_objects,
            "image_id": self._num_images,
            "category_id": label,
            "bbox": box,
            "area": area,
            "iscrowd": 0,
            "segmentation": segmentation,
        }


def _number_first(name: str) -> tuple[bool, int, str]:
    """Sorting key: numbers by value, before words."""
    return not name.isdecimal(), int(name) if name.isdecimal() else 0, name


def _distinct(names: list[str]) -> list[str]:
    """Names with the index added where an earlier class has the same one; a warning tells."""
    found: dict[str, int] = {}
    for index, name in enumerate(names):
        unique = name
        while unique in found or (unique != name and unique in names):
            unique = f"{unique} ({index})"
        if unique != name:
            _log.warning("classes %d and %d are both called %r; the second becomes %r", found[name], index,
                         name, unique)  # fmt: skip
        found[unique] = index
    return list(found)


def _image_row(image: LabeledImage, folder: Path, places: dict[str, str]) -> dict[str, Any]:
    """COCO's entry of an image, which is added to `places`."""
    try:
        name = image.file.relative_to(folder).as_posix()
    except ValueError:
        raise EntryError(
            "image outside of the images folder",
            f"the image {image.file} is not in {folder}; give the folder that has all images: "
            "task.images=FOLDER.",
        ) from None
    if name in places:
        raise EntryError(
            "image labeled twice",
            f"{image.place} and {places[name]} both label the image {name}; remove one of them.",
        )
    places[name] = image.place
    return {"file_name": name, "height": image.size[0], "width": image.size[1]}


def _outline(
    labeled_object: LabeledObject, size: tuple[int, int]
) -> tuple[dict[str, Any] | list[list[float]], list[float], int]:
    """Segmentation, box [x, y, width, height] in pixels and area in pixels, in COCO's format."""
    if labeled_object.mask is not None:
        code = mask_api.encode(np.asfortranarray(labeled_object.mask, np.uint8))
        segmentation = {"size": list(size), "counts": code["counts"].decode()}
        return segmentation, mask_api.toBbox(code).tolist(), int(mask_api.area(code))
    assert labeled_object.polygons
    # Rasterising takes memory in proportion to a polygon's extent, and far outside there is nothing to see.
    limits = np.array([size[1], size[0]])
    polygons = [np.clip(polygon, -limits, 2 * limits).round(2) for polygon in labeled_object.polygons]
    flat = [polygon.ravel().tolist() for polygon in polygons]
    area = int(mask_api.area(mask_api.merge(mask_api.frPyObjects(flat, *size))))
    points = np.clip(np.concatenate(polygons), 0, limits)
    low, high = points.min(axis=0), points.max(axis=0)
    return flat, [*low.tolist(), *(high - low).round(2).tolist()], area
