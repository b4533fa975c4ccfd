"""Folders of mask images: one PNG an object, or one indexed PNG an image."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yolact_pl.convert.labeled import LabeledImage, LabeledObject, LabeledSet, Split
from yolact_pl.convert.pictures import (
    list_images,
    picture_size,
    read_indices,
    read_mask,
)
from yolact_pl.data.annotations.annotations import DataError

ONLY_CLASS = "object"
"""Where no folder names a class."""


class _MaskFile(NamedTuple):
    path: Path
    class_name: str
    indexed: bool
    """It numbers several objects; otherwise it shows one."""


def read_masks(source: Path, *, images: Path | None = None, classes: list[str] | None = None) -> LabeledSet:
    """Images with masks of the same name.

    In `images/` and `masks/`, both with the same folders inside: for an image NAME, `masks/NAME.png` numbers
    its objects, `masks/NAME/*.png` show one each. With classes: `masks/CLASS/NAME.png`, or
    `masks/NAME/CLASS/*.png`, or `masks/CLASS/NAME/*.png`. Or a folder for each image, with the image in
    `images/` and a file for each object in `masks/`.

    Args:
        source: folder that has these.
        images: folder of the images, `source` being that of the masks.
        classes: the names of the class folders, in the order of their numbers; or the name of the only class.

    Raises:
        DataError: a mask has no image, another size, or colors where there should be numbers.
    """
    only = classes[0] if classes and len(classes) == 1 else ONLY_CLASS
    if images is None and not (source / "images").is_dir():
        folder, found = source, _folder_per_image(source, only)
    else:
        folder = images or source / "images"
        masks = source if images is not None else source / "masks"
        found = _in_two_folders(folder, masks, only)
    return LabeledSet([Split("", folder, len(found), _read(found))], classes)


def _read(found: dict[Path, list[_MaskFile]]) -> Iterator[LabeledImage]:
    for image, files in found.items():
        size = picture_size(image)
        objects = []
        for file in files:
            if not file.indexed:
                objects.append(
                    LabeledObject(file.class_name, str(file.path), mask=read_mask(file.path, size))
                )
                continue
            numbers = read_indices(file.path, size)
            objects += [
                LabeledObject(file.class_name, f"{file.path}, object {number}", mask=numbers == number)
                for number in np.unique(numbers[numbers != 0]).tolist()
            ]
        yield LabeledImage(image, size, str(files[0].path.parent) if files else str(image), objects)


def _folder_per_image(source: Path, only: str) -> dict[Path, list[_MaskFile]]:
    found = {}
    for folder in sorted(path for path in source.iterdir() if path.is_dir()) if source.is_dir() else []:
        if not (folder / "images").is_dir():
            continue
        images = list_images(folder / "images")
        if len(images) != 1:
            raise DataError(f"{folder / 'images'} has {len(images)} images; it must have one.")
        masks = list_images(folder / "masks") if (folder / "masks").is_dir() else []
        found[images[0]] = [_MaskFile(path, only, False) for path in masks]
    if not found:
        raise DataError(f"{source} has no folder images; see the layouts of from=masks, or set task.images.")
    return found


def _in_two_folders(folder: Path, masks: Path, only: str) -> dict[Path, list[_MaskFile]]:
    if not masks.is_dir():
        raise DataError(f"{masks} is not a folder; it must have the masks of the images.")
    images = _by_place(folder)
    found: dict[Path, list[_MaskFile]] = {image: [] for image in images.values()}
    for path in list_images(masks):
        owner = _owner(path.relative_to(masks).with_suffix("").parts, images, only)
        if owner is None:
            raise DataError(
                f"{path} belongs to no image in {folder}; the masks of an image NAME are NAME.png or in a "
                "folder NAME, or these in a folder for each class."
            )
        image, class_name, indexed = owner
        found[image].append(_MaskFile(path, class_name, indexed))
    return found


def _by_place(folder: Path) -> dict[tuple[str, ...], Path]:
    """Images by their folders and name without ending, below `folder`."""
    images: dict[tuple[str, ...], Path] = {}
    for image in list_images(folder):
        other = images.setdefault(image.relative_to(folder).with_suffix("").parts, image)
        if other is not image:
            raise DataError(f"{other} and {image} have the same name; masks cannot belong to both.")
    return images


def _owner(
    parts: tuple[str, ...], images: dict[tuple[str, ...], Path], only: str
) -> tuple[Path, str, bool] | None:
    """Image, class and whether it numbers several objects, of a mask file at this place."""
    first, *inner = parts
    places = (
        (parts, only, True),  # NAME.png
        (parts[:-1], only, False),  # NAME/*.png
        (parts[:-2], parts[-2] if inner else only, False),  # NAME/CLASS/*.png
        (tuple(inner), first, True),  # CLASS/NAME.png
        (tuple(inner[:-1]), first, False),  # CLASS/NAME/*.png
    )
    return next(((images[place], name, indexed) for place, name, indexed in places if place in images), None)
