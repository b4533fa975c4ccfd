"""Labeled images to the content of COCO json files."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yolact_pl.convert.labeled import LabeledImage, LabeledObject, LabeledSet
from yolact_pl.data.annotations.annotations import DataError
from yolact_pl.data.annotations.segmentations import mask_api


@dataclass(frozen=True)
class Conversion:
    """What came out."""

    contents: dict[str, dict[str, Any]]
    """The COCO json of each split, by its name."""
    dropped: list[str]
    """Where objects were left out because they cover no pixel."""


def to_coco(labeled: LabeledSet, *, on_image: Callable[[], object] = lambda: None) -> Conversion:
    """Read all images of a set and number them, their objects and the classes from 1 on.

    Polygons stay polygons, to a hundredth of a pixel; masks become run-length codes, which are exact.

    Args:
        labeled: from one of the readers.
        on_image: called after each image.

    Raises:
        DataError: from the reader; a class that is not in the list; an image that is there twice.
    """
    writer = _Writer(labeled.class_names)
    contents = {}
    for split in labeled.splits:
        contents[split.name] = writer.write(split.images, split.images_folder, on_image)
    categories = writer.categories()
    numbers = {category["name"]: category["id"] for category in categories}
    for content in contents.values():
        content["categories"] = categories
        for row in content["annotations"]:
            row["category_id"] = numbers[row["category_id"]]
    if sum(len(content["images"]) for content in contents.values()) == 0:
        raise DataError("no image was found; look at the folder that source names.")
    if not any(content["annotations"] for content in contents.values()):
        raise DataError("no object was found in any of the images; look at the format that from= names.")
    return Conversion(contents, writer.dropped)


class _Writer:
    """Counts ids over all splits, and keeps the classes that occur."""

    def __init__(self, class_names: list[str] | None) -> None:
        self._class_names = class_names
        self._seen: set[str] = set()
        self._num_images = 0
        self._num_objects = 0
        self.dropped: list[str] = []

    def categories(self) -> list[dict[str, Any]]:
        names = self._class_names
        if names is None:  # numbers by their value, then words
            names = sorted(self._seen, key=lambda n: (not n.isdecimal(), int(n) if n.isdecimal() else 0, n))
        return [{"id": number, "name": name} for number, name in enumerate(names, 1)]

    def write(
        self, images: Iterable[LabeledImage], folder: Path, on_image: Callable[[], object]
    ) -> dict[str, Any]:
        """One split; `category_id` is the class's name as long as the classes are not all known."""
        rows, annotations, places = [], [], {}
        for image in images:
            name = _relative(image.file, folder)
            if name in places:
                raise DataError(
                    f"{image.place} and {places[name]} both label the image {name}; remove one of them."
                )
            places[name] = image.place
            self._num_images += 1
            height, width = image.size
            rows.append({"id": self._num_images, "file_name": name, "height": height, "width": width})
            for labeled_object in image.objects:
                row = self._describe(labeled_object, image)
                if row is not None:
                    annotations.append(row)
            on_image()
        return {"images": rows, "annotations": annotations, "categories": []}

    def _describe(self, labeled_object: LabeledObject, image: LabeledImage) -> dict[str, Any] | None:
        name = labeled_object.class_name
        if self._class_names is not None and name not in self._class_names:
            known = ", ".join(self._class_names)
            raise DataError(f"{labeled_object.place} has the class {name!r}, which is not among {known}.")
        segmentation, box, area = _outline(labeled_object, image.size)
        if area == 0:
            self.dropped.append(labeled_object.place)
            return None
        self._seen.add(name)
        self._num_objects += 1
        return {
            "id": self._num_objects,
            "image_id": self._num_images,
            "category_id": name,
            "bbox": box,
            "area": area,
            "iscrowd": 0,
            "segmentation": segmentation,
        }


def _outline(
    labeled_object: LabeledObject, size: tuple[int, int]
) -> tuple[dict[str, Any] | list[list[float]], list[float], int]:
    """Segmentation, box [x, y, width, height] in pixels and area in pixels, as COCO writes them."""
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


def _relative(file: Path, folder: Path) -> str:
    try:
        return file.relative_to(folder).as_posix()
    except ValueError:
        raise DataError(
            f"the image {file} is not in {folder}; give the folder that has all images: task.images=FOLDER."
        ) from None
