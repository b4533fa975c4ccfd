"""YOLO's polygon text files: one file an image, a line an object, `class x1 y1 x2 y2 ...` in fractions."""

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yolact_pl.convert.labeled import LabeledImage, LabeledObject, LabeledSet, Split
from yolact_pl.convert.pictures import list_images, picture_size
from yolact_pl.convert.yolo_yaml import YoloYaml, find_yaml, read_yaml
from yolact_pl.data.annotations.annotations import DataError

logger = logging.getLogger(__name__)

_TOLERANCE = 0.01
"""Points may lie so far outside of 0..1, by rounding; they are cut off at the image's edge."""
_NAME_FILES = ("classes.txt", "obj.names")


class _Pairs(NamedTuple):
    name: str
    folder: Path
    pairs: list[tuple[Path, Path]]
    """Image and label file; an image whose label file does not exist has no objects."""


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
        DataError: no image, no label file, or one with a wrong line.
    """
    yaml = find_yaml(source)
    settings = None if yaml is None else read_yaml(yaml)
    source = source if source != yaml else source.parent
    in_yaml = images is None and settings is not None and settings.splits
    splits = _pairs_of_yaml(settings) if settings and in_yaml else _pairs(source, images)
    pairs = [pair for split in splits for pair in split.pairs]
    if not pairs:
        raise DataError(f"{source} has no images; give their folder: task.images=FOLDER.")
    if not any(label.is_file() for _, label in pairs):
        raise DataError(
            f"none of the {len(pairs)} images has a label file: the first, {pairs[0][0]}, should have "
            f"{pairs[0][1]}; look at the folders."
        )
    _warn_of_labels_without_image({label for _, label in pairs})
    names = classes or (settings.names if settings else None) or _names_file(source)
    if names is None:
        logger.warning("no data.yaml or classes.txt names the classes, so they are called by their numbers")
    return LabeledSet(
        [Split(split.name, split.folder, len(split.pairs), _read(split.pairs, names)) for split in splits],
        names,
    )


def read_label_file(path: Path, size: tuple[int, int], names: list[str] | None) -> list[LabeledObject]:
    """The objects of one image.

    Args:
        path: text file.
        size: (height, width) of the image.
        names: classes by number, None to call them by their numbers.

    Raises:
        DataError: with the number of the line that is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text ({error}).") from None
    return [
        _read_line(line.split(), size, names, f"{path}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


def _read_line(words: list[str], size: tuple[int, int], names: list[str] | None, place: str) -> LabeledObject:
    if not (words[0].isascii() and words[0].isdecimal() and len(words[0]) < 10):
        raise DataError(
            f"{place}: the first word must be a class number, 0 or more, but is {words[0][:20]!r}."
        )
    label = int(words[0])
    if names is not None and label >= len(names):
        raise DataError(
            f"{place}: the class is {label}, but there are {len(names)} names, for 0 to {len(names) - 1}."
        )
    count = len(words) - 1
    if count == 4:
        raise DataError(
            f"{place} is a box (4 numbers behind the class); polygons of 3 points or more are needed."
        )
    if count < 6 or count % 2:
        raise DataError(
            f"{place} has {count} numbers behind the class; x and y of 3 points or more are needed."
        )
    try:
        values = [float(word) for word in words[1:]]
    except ValueError as error:
        raise DataError(f"{place}: {error}; coordinates must be numbers.") from None
    for value in values:
        if not math.isfinite(value) or not -_TOLERANCE <= value <= 1 + _TOLERANCE:
            raise DataError(
                f"{place}: {value:g} is not within 0..1; x and y are fractions of width and height."
            )
    points = np.clip(np.array(values).reshape(-1, 2), 0, 1) * (size[1], size[0])
    return LabeledObject(str(label) if names is None else names[label], place, polygons=[points])


def _read(pairs: list[tuple[Path, Path]], names: list[str] | None) -> Iterator[LabeledImage]:
    for image, label in pairs:
        size = picture_size(image)
        objects = read_label_file(label, size, names) if label.is_file() else []
        yield LabeledImage(image, size, str(label), objects)


def _pairs(source: Path, images: Path | None) -> list[_Pairs]:
    """The layouts without a yaml file."""
    if images is not None:
        return _mirrored("", images, source)
    if (source / "images").is_dir():
        labels = source / "labels"
        return _mirrored("", source / "images", labels if labels.is_dir() else source / "images")
    if source.is_dir():
        inner = sorted(folder for folder in source.iterdir() if (folder / "images").is_dir())
        if inner:
            return [split for f in inner for split in _mirrored(f.name, f / "images", f / "labels")]
    return _mirrored("", source, source)


def _mirrored(name: str, images: Path, labels: Path) -> list[_Pairs]:
    """Label files at the same place below `labels` as the images; if all lie in folders, a split each."""
    groups: dict[str, list[tuple[Path, Path]]] = {}
    for image in list_images(images):
        inside = image.relative_to(images)
        group = inside.parts[0] if len(inside.parts) > 1 else ""
        groups.setdefault(group, []).append((image, labels / inside.with_suffix(".txt")))
    if name or "" in groups:
        return [_Pairs(name, images, [pair for group in groups.values() for pair in group])]
    return [_Pairs(group, images / group, pairs) for group, pairs in groups.items()]


def _pairs_of_yaml(settings: YoloYaml) -> list[_Pairs]:
    splits = []
    for name, (folder, files) in settings.splits.items():
        found = list_images(folder) if files is None else files
        splits.append(_Pairs(name, folder, [(image, _label_file(image)) for image in found]))
    return splits


def _label_file(image: Path) -> Path:
    """The last folder `images` of a path is replaced by `labels`; without one the file lies beside."""
    parts = list(image.parts)
    for position in range(len(parts) - 2, -1, -1):
        if parts[position] == "images":
            parts[position] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _names_file(source: Path) -> list[str] | None:
    """Names from a file with one a line, beside the labels."""
    for folder in (source, source / "labels"):
        for name in _NAME_FILES:
            if (folder / name).is_file():
                lines = (folder / name).read_text(encoding="utf-8-sig").splitlines()
                return [line.strip() for line in lines if line.strip()]
    return None


def _warn_of_labels_without_image(labels: set[Path]) -> None:
    """A label file that no image has is passed over, as where images were sorted out later."""
    folders = {label.parent for label in labels}
    found = {file for folder in folders for file in folder.glob("*.txt") if file.name not in _NAME_FILES}
    left = sorted(found - labels)
    if left:
        logger.warning("%d label files have no image and are left out, the first is %s", len(left), left[0])
