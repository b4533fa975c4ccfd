"""Pascal VOC: an indexed PNG that numbers the objects, beside one that numbers the classes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from yolact_pl.convert.labeled import LabeledImage, LabeledObject, LabeledSet, Split
from yolact_pl.convert.pictures import by_stem, list_images, picture_size, read_indices
from yolact_pl.data.annotations.annotations import DataError

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""By number from 1 on."""
VOID = 255
"""The border around each object: it belongs to none."""
_OBJECTS, _CLASSES = "SegmentationObject", "SegmentationClass"


def read_voc(source: Path, *, images: Path | None = None, classes: list[str] | None = None) -> LabeledSet:
    """A set in VOC's layout: JPEGImages, SegmentationObject, SegmentationClass, ImageSets/Segmentation.

    Args:
        source: the folder that has these, or one above it.
        images: folder of the images instead of JPEGImages.
        classes: names of the numbers from 1 on instead of VOC's twenty.

    Raises:
        DataError: folders or files are missing, or masks are not as VOC's.
    """
    root = _root(source)
    names = classes or list(VOC_CLASSES)
    folder = images or root / "JPEGImages"
    pictures = by_stem(list_images(folder))
    splits = []
    for name, stems in _lists(root).items():
        for stem in stems:
            if stem not in pictures:
                raise DataError(f"{folder} has no image {stem}, which {name or _OBJECTS} names.")
        splits.append(Split(name, folder, len(stems), _read(root, [pictures[s] for s in stems], names)))
    return LabeledSet(splits, names)


def _read(root: Path, files: list[Path], names: list[str]) -> Iterator[LabeledImage]:
    for file in files:
        size = picture_size(file)
        place = root / _OBJECTS / f"{file.stem}.png"
        objects = read_indices(place, size)
        labels = read_indices(root / _CLASSES / f"{file.stem}.png", size)
        found = [
            _object(place, objects == number, labels, int(number), names)
            for number in np.unique(objects)
            if number not in (0, VOID)
        ]
        yield LabeledImage(file, size, str(place), found)


def _object(path: Path, mask: np.ndarray, labels: np.ndarray, number: int, names: list[str]) -> LabeledObject:
    """The class of an object is that of most of its pixels."""
    place = f"{path}, object {number}"
    values, counts = np.unique(labels[mask], return_counts=True)
    known = (values != 0) & (values != VOID)
    if not known.any():
        raise DataError(f"{place} has no class: {_CLASSES}/{path.name} is empty there.")
    label = int(values[known][counts[known].argmax()])
    if label > len(names):
        raise DataError(
            f"{place} has the class {label}, but there are {len(names)} names; give all: task.classes=[...]."
        )
    return LabeledObject(names[label - 1], place, mask=mask)


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


def _lists(root: Path) -> dict[str, list[str]]:
    """The names of each split; without lists all that have a mask."""
    folder = root / "ImageSets" / "Segmentation"
    lists = {
        name: read_names(folder / f"{name}.txt")
        for name in ("train", "val")
        if (folder / f"{name}.txt").is_file()
    }
    return lists or {"": sorted(path.stem for path in (root / _OBJECTS).glob("*.png"))}


def read_names(path: Path) -> list[str]:
    """The first word of each line: names of images without ending.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        return [line.split()[0] for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); it must list names of images, one a line."
        ) from None
