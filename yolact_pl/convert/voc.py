"""Pascal VOC: one indexed PNG with object numbers and one with class numbers per image."""

import functools
from pathlib import Path

import numpy as np

from yolact_pl.convert.files import find_files, read_lines
from yolact_pl.convert.labeled import EntryError, LabeledImage, LabeledObject, LabeledSet, Split, attempt
from yolact_pl.convert.pictures import by_stem, list_images, named, picture_size, read_indices
from yolact_pl.data.annotations.annotations import DataError

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""By number from 1 on."""
VOID = 255
"""The border around each object, which belongs to none."""
_OBJECTS, _CLASSES = "SegmentationObject", "SegmentationClass"


def read_voc(source: Path, *, images: Path | None = None, classes: list[str] | None = None) -> LabeledSet:
    """A set in VOC's layout: JPEGImages, SegmentationObject, SegmentationClass, ImageSets/Segmentation.

    Args:
        source: the folder that has these, or one above it.
        images: folder of the images instead of JPEGImages.
        classes: names of the numbers from 1 on instead of VOC's twenty.

    Raises:
        DataError: folders are missing.
    """
    root = _root(source)
    names = classes or list(VOC_CLASSES)
    folder = images or root / "JPEGImages"
    pictures = by_stem(list_images(folder))

    def read(split: str, stem: str) -> LabeledImage | EntryError:
        return attempt(lambda: _read(named(stem, pictures, folder, split or _OBJECTS), root, names))

    lists = read_lists(
        root / "ImageSets" / "Segmentation", [path.stem for path in find_files(root / _OBJECTS, "*.png")]
    )
    splits = [
        Split(split, folder, len(stems), map(functools.partial(read, split), stems))
        for split, stems in lists.items()
    ]
    return LabeledSet(splits, names)


def read_lists(folder: Path, otherwise: list[str]) -> dict[str, list[str]]:
    """Image names of each split: the first word of each line of train.txt and val.txt.

    Args:
        folder: of the lists.
        otherwise: the names where there are no lists.

    Raises:
        DataError: a list cannot be read.
    """
    paths = {name: folder / f"{name}.txt" for name in ("train", "val")}
    lists = {
        name: [line.split()[0] for line in read_lines(path) if line.strip()]
        for name, path in paths.items()
        if path.is_file()
    }
    return lists or {"": otherwise}


def _read(file: Path, root: Path, names: list[str]) -> LabeledImage:
    size = picture_size(file)
    place = root / _OBJECTS / f"{file.stem}.png"
    objects = read_indices(place, size)
    labels = read_indices(root / _CLASSES / f"{file.stem}.png", size)
    found = [
        attempt(functools.partial(_object, place, objects == number, labels, int(number), names))
        for number in np.unique(objects)
        if number not in (0, VOID)
    ]
    return LabeledImage(file, size, str(place), found)


def _object(path: Path, mask: np.ndarray, labels: np.ndarray, number: int, names: list[str]) -> LabeledObject:
    """The class of an object is that of most of its pixels."""
    place = f"{path}, object {number}"
    values, counts = np.unique(labels[mask], return_counts=True)
    known = (values != 0) & (values != VOID)
    if not known.any():
        raise EntryError(
            "object without a class", f"{place} has no class: {_CLASSES}/{path.name} is empty there."
        )
    label = int(values[known][counts[known].argmax()])
    if label > len(names):
        raise EntryError(
            "unknown class",
            f"{place} has the class {label}, but there are {len(names)} names; give all: task.classes=[...].",
        )
    return LabeledObject(label - 1, place, mask=mask)


def _root(source: Path) -> Path:
    found = [
        source / inner
        for inner in (".", "VOC2012", "VOCdevkit/VOC2012")
        if (source / inner / _OBJECTS).is_dir()
    ]
    found = found or sorted(path.parent for path in source.glob(f"*/{_OBJECTS}"))
    if len(found) != 1:
        raise DataError(f"{source} has no folder {_OBJECTS} or several; give the folder that has it.")
    return found[0]
