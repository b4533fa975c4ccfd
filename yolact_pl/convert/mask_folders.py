"""Folders of mask images: one PNG per object, or one indexed PNG per image."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yolact_pl.convert.files import is_hidden
from yolact_pl.convert.labeled import EntryError, LabeledImage, LabeledObject, LabeledSet, Split, attempt
from yolact_pl.convert.pictures import list_images, picture_size, read_indices, read_mask
from yolact_pl.data.annotations.annotations import DataError

ONLY_CLASS = "object"
"""Where no folder names a class."""


class _MaskFile(NamedTuple):
    path: Path
    class_name: str
    indexed: bool
    """Its values number several objects; otherwise it shows one."""


_Found = tuple[dict[Path, list[_MaskFile]], list[EntryError]]
"""The masks of each image, and what belongs to none."""


def read_masks(source: Path, *, images: Path | None = None, classes: list[str] | None = None) -> LabeledSet:
    """Images with masks of the same name.

    In `images/` and `masks/`, both with the same folders inside: for an image NAME, `masks/NAME.png` numbers
    its objects, `masks/NAME/*.png` show one each. With classes: `masks/CLASS/NAME.png`, or
    `masks/NAME/CLASS/*.png`, or `masks/CLASS/NAME/*.png`. Or a folder for each image, with the image in
    `images/` and a file for each object in `masks/`.

    Args:
        source: folder with one of these layouts.
        images: folder of the images; `source` is then that of the masks.
        classes: the names of the class folders, in the order of their numbers; or the name of the only class.

    Raises:
        DataError: folders are missing.
    """
    only = classes[0] if classes and len(classes) == 1 else ONLY_CLASS
    if images is None and not (source / "images").is_dir():
        folder, (found, errors) = source, _folder_per_image(source, only)
    else:
        folder = images or source / "images"
        masks = source if images is not None else source / "masks"
        found, errors = _in_two_folders(folder, masks, only)
    return LabeledSet([Split("", folder, len(found) + len(errors), _read(found, errors))], classes)


def _read(
    found: dict[Path, list[_MaskFile]], errors: list[EntryError]
) -> Iterator[LabeledImage | EntryError]:
    for image, files in found.items():
        yield attempt(functools.partial(_read_image, image, files))
    yield from errors


def _read_image(image: Path, files: list[_MaskFile]) -> LabeledImage:
    size = picture_size(image)
    objects: list[LabeledObject | EntryError] = []
    for file in files:
        if not file.indexed:
            objects.append(attempt(functools.partial(_read_object, file, size)))
            continue
        numbers = read_indices(file.path, size)
        objects += [
            LabeledObject(file.class_name, f"{file.path}, object {number}", mask=numbers == number)
            for number in np.unique(numbers[numbers != 0]).tolist()
        ]
    return LabeledImage(image, size, str(files[0].path.parent) if files else str(image), objects)


def _read_object(file: _MaskFile, size: tuple[int, int]) -> LabeledObject:
    return LabeledObject(file.class_name, str(file.path), mask=read_mask(file.path, size))


def _folder_per_image(source: Path, only: str) -> _Found:
    found, errors = {}, []
    folders = sorted(path for path in source.iterdir() if path.is_dir()) if source.is_dir() else []
    for folder in folders:
        if is_hidden(folder.name) or not (folder / "images").is_dir():
            continue
        images = list_images(folder / "images")
        if len(images) != 1:
            errors.append(
                EntryError(
                    "folder without its one image",
                    f"{folder / 'images'} has {len(images)} images; it must have one.",
                )
            )
            continue
        masks = list_images(folder / "masks") if (folder / "masks").is_dir() else []
        found[images[0]] = [_MaskFile(path, only, False) for path in masks]
    if not found and not errors:
        raise DataError(f"{source} has no folder images; see the layouts of from=masks, or set task.images.")
    return found, errors


def _in_two_folders(folder: Path, masks: Path, only: str) -> _Found:
    if not masks.is_dir():
        raise DataError(f"{masks} is not a folder; it must have the masks of the images.")
    by_place: dict[tuple[str, ...], list[Path]] = {}
    for image in list_images(folder):
        by_place.setdefault(image.relative_to(folder).with_suffix("").parts, []).append(image)
    found: dict[Path, list[_MaskFile]] = {images[0]: [] for images in by_place.values() if len(images) == 1}
    errors = [
        EntryError(
            "images with the same name",
            f"{images[0]} and {images[1]} have the same name; masks cannot belong to both.",
        )
        for images in by_place.values()
        if len(images) > 1
    ]
    for path in list_images(masks):
        owner = _owner(path.relative_to(masks).with_suffix("").parts, by_place, only)
        if owner is None:
            errors.append(
                EntryError(
                    "mask without an image",
                    f"{path} belongs to no image in {folder}; the masks of an image NAME are NAME.png or in "
                    "a folder NAME, or these in a folder for each class.",
                )
            )
            continue
        images, class_name, indexed = owner
        if len(images) == 1:
            found[images[0]].append(_MaskFile(path, class_name, indexed))
    return found, errors


def _owner(
    parts: tuple[str, ...], images: dict[tuple[str, ...], list[Path]], only: str
) -> tuple[list[Path], str, bool] | None:
    """Images, class and whether it numbers several objects, of a mask file at this place."""
    first, *inner = parts
    places = (
        (parts, only, True),  # NAME.png
        (parts[:-1], only, False),  # NAME/*.png
        (parts[:-2], parts[-2] if inner else only, False),  # NAME/CLASS/*.png
        (tuple(inner), first, True),  # CLASS/NAME.png
        (tuple(inner[:-1]), first, False),  # CLASS/NAME/*.png
    )
    return next(((images[place], name, indexed) for place, name, indexed in places if place in images), None)
