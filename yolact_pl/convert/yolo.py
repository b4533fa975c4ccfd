"""YOLO's polygon text files: one per image, a line per object, `class x1 y1 x2 y2 ...` in fractions."""

import functools
import itertools
import logging
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yolact_pl.convert.files import find_files, is_hidden, read_lines
from yolact_pl.convert.labeled import EntryError, LabeledImage, LabeledObject, LabeledSet, Split, attempt
from yolact_pl.convert.pictures import list_images, picture_size
from yolact_pl.convert.yolo_yaml import YoloYaml, find_yaml, names_by_line, read_yaml
from yolact_pl.data.annotations.annotations import DataError

logger = logging.getLogger(__name__)

_MARGIN = 1.0
"""How far outside of 0..1 points may lie; beyond, the coordinates must be in another unit."""
_NAME_FILES = ("classes.txt", "obj.names")


class _Pairs(NamedTuple):
    name: str
    folder: Path
    pairs: list[tuple[Path, Path]]
    """Image and label file; an image whose label file does not exist has no objects."""
    errors: list[EntryError]
    """Images that cannot be found."""


def read_yolo(source: Path, *, images: Path | None = None, classes: list[str] | None = None) -> LabeledSet:
    """A set in one of the usual layouts.

    With a `data.yaml` (or as `source` itself) that says where the images are, or as `images/` and `labels/`,
    both with the same folders inside (`train`, `val`), or `train/images` and `train/labels`, or label files
    beside the images.

    Args:
        source: folder or yaml file.
        images: folder of the images, `source` being that of the label files.
        classes: names by number; otherwise from `data.yaml` or `classes.txt`, or the numbers themselves.

    Raises:
        DataError: no image, no label file, or a yaml file with a mistake.
    """
    yaml = find_yaml(source)
    settings = None if yaml is None else read_yaml(yaml)
    source = source if source != yaml else source.parent
    in_yaml = images is None and settings is not None and settings.splits
    splits = _pairs_of_yaml(settings) if settings and in_yaml else _pairs(source, images)
    pairs = [pair for split in splits for pair in split.pairs]
    if not pairs:
        reason = next((f" {error}" for split in splits for error in split.errors), "")
        raise DataError(f"{source} has no images; give their folder: task.images=FOLDER.{reason}")
    if not any(label.is_file() for _, label in pairs):
        raise DataError(
            f"none of the {len(pairs)} images has a label file: the first, {pairs[0][0]}, should have "
            f"{pairs[0][1]}; look at the folders."
        )
    splits[-1].errors.extend(_labels_without_image({label for _, label in pairs}))
    names = classes or (settings.names if settings else None) or _names_of_file(source)
    if names is None:
        logger.warning("no data.yaml or classes.txt names the classes, so they are called by their numbers")
    return LabeledSet([_lazy(split, names) for split in splits], names)


def _lazy(split: _Pairs, names: list[str] | None) -> Split:
    read = (attempt(functools.partial(_read, image, label, names)) for image, label in split.pairs)
    num_images = len(split.pairs) + len(split.errors)
    return Split(split.name, split.folder, num_images, itertools.chain(read, split.errors))


def _read(image: Path, label: Path, names: list[str] | None) -> LabeledImage:
    size = picture_size(image)
    objects = read_label_file(label, size, names) if label.is_file() else []
    return LabeledImage(image, size, str(label), objects)


def read_label_file(
    path: Path, size: tuple[int, int], names: list[str] | None
) -> list[LabeledObject | EntryError]:
    """The objects of one image, and what is wrong with lines that cannot be used.

    Args:
        path: text file.
        size: (height, width) of the image.
        names: classes by number, None to call them by their numbers.

    Raises:
        EntryError: the file is no text.
    """
    return [
        attempt(functools.partial(_read_line, line.split(), size, names, f"{path}, line {number}"))
        for number, line in enumerate(read_lines(path), 1)
        if line.strip()
    ]


def _read_line(words: list[str], size: tuple[int, int], names: list[str] | None, place: str) -> LabeledObject:
    label = _class_number(words[0], place)
    if names is not None and label >= len(names):
        raise EntryError(
            "unknown class",
            f"{place}: the class is {label}, but there are {len(names)} names, for 0 to {len(names) - 1}.",
        )
    count = len(words) - 1
    if count == 4:
        raise EntryError(
            "box instead of a polygon",
            f"{place} is a box (4 numbers behind the class); polygons of 3 points or more are needed.",
        )
    if count < 6 or count % 2:
        raise EntryError(
            "polygon with a wrong number of coordinates",
            f"{place} has {count} numbers behind the class; x and y of 3 points or more are needed.",
        )
    try:
        values = [float(word) for word in words[1:]]
    except ValueError as error:
        raise EntryError(
            "coordinate that is no number", f"{place}: {error}; coordinates must be numbers."
        ) from None
    for value in values:
        if not -_MARGIN <= value <= 1 + _MARGIN:  # also nan
            raise EntryError(
                "coordinate far outside of the image",
                f"{place}: {value:g} is not within 0..1; x and y are fractions of width and height.",
            )
    points = np.array(values).reshape(-1, 2) * (size[1], size[0])
    return LabeledObject(label, place, polygons=[points])


def _class_number(word: str, place: str) -> int:
    """A whole number, also written as a decimal."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not (value.is_integer() and 0 <= value < 1e9):
        raise EntryError(
            "class that is no number",
            f"{place}: the first word must be a class number, 0 or more, but is {word[:20]!r}.",
        )
    return int(value)


def _pairs(source: Path, images: Path | None) -> list[_Pairs]:
    """The layouts without a yaml file."""
    if images is not None:
        return _mirrored("", images, source)
    if (source / "images").is_dir():
        labels = source / "labels"
        return _mirrored("", source / "images", labels if labels.is_dir() else source / "images")
    if source.is_dir():
        inner = sorted(
            folder
            for folder in source.iterdir()
            if (folder / "images").is_dir() and not is_hidden(folder.name)
        )
        if inner:
            return [split for f in inner for split in _mirrored(f.name, f / "images", f / "labels")]
    return _mirrored("", source, source)


def _mirrored(name: str, images: Path, labels: Path) -> list[_Pairs]:
    """Label files at the same place as the images; one split per folder if all images are in folders."""
    groups: dict[str, list[tuple[Path, Path]]] = {}
    for image in list_images(images):
        inside = image.relative_to(images)
        group = inside.parts[0] if len(inside.parts) > 1 else ""
        groups.setdefault(group, []).append((image, labels / inside.with_suffix(".txt")))
    if name or "" in groups:
        return [_Pairs(name, images, [pair for group in groups.values() for pair in group], [])]
    return [_Pairs(group, images / group, pairs, []) for group, pairs in groups.items()]


def _pairs_of_yaml(settings: YoloYaml) -> list[_Pairs]:
    splits = []
    for name, (folder, images) in settings.splits.items():
        pairs = [(image, _label_file(image)) for image in images if isinstance(image, Path)]
        errors = [image for image in images if isinstance(image, EntryError)]
        splits.append(_Pairs(name, folder, pairs, errors))
    return splits


def _label_file(image: Path) -> Path:
    """The last folder `images` of a path is replaced by `labels`; without one the file lies beside."""
    parts = list(image.parts)
    for position in range(len(parts) - 2, -1, -1):
        if parts[position] == "images":
            parts[position] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _names_of_file(source: Path) -> list[str] | None:
    """Names from a file beside the labels."""
    places = [folder / name for folder in (source, source / "labels") for name in _NAME_FILES]
    return next((names_by_line(place) for place in places if place.is_file()), None)


def _labels_without_image(labels: set[Path]) -> list[EntryError]:
    """Label files that belong to no image, as where images were sorted out later."""
    folders = {label.parent for label in labels if label.parent.is_dir()}
    found = {
        file for folder in folders for file in find_files(folder, "*.txt") if file.name not in _NAME_FILES
    }
    return [
        EntryError("label file without an image", f"{file} has no image.") for file in sorted(found - labels)
    ]
