"""The Semantic Boundaries Dataset: one .mat file per image, read by scipy."""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from yolact_pl.convert.files import find_files
from yolact_pl.convert.labeled import EntryError, LabeledImage, LabeledObject, LabeledSet, Split, attempt
from yolact_pl.convert.pictures import by_stem, list_images, named, picture_size
from yolact_pl.convert.voc import VOC_CLASSES, read_lists
from yolact_pl.data.annotations.annotations import DataError


def read_sbd(source: Path, *, images: Path | None = None, classes: list[str] | None = None) -> LabeledSet:
    """A set in SBD's layout: img, inst, and train.txt and val.txt; without these all that are in inst.

    Args:
        source: the folder that has these, or one above it.
        images: folder of the images instead of img.
        classes: names of the numbers from 1 on instead of VOC's twenty.

    Raises:
        DataError: scipy is not installed, or folders are missing.
    """
    inner = [source / name for name in (".", "dataset", "benchmark_RELEASE/dataset")]
    roots = [path for path in inner if (path / "inst").is_dir()]
    if not roots:
        raise DataError(f"{source} has no folder inst; give the folder that has img and inst in it.")
    root, names, load = roots[0], classes or list(VOC_CLASSES), _loader()
    folder = images or root / "img"
    pictures = by_stem(list_images(folder))

    def read(split: str, stem: str) -> LabeledImage | EntryError:
        listed_in, path = f"{split}.txt" if split else "inst", root / "inst" / f"{stem}.mat"
        return attempt(lambda: _read(named(stem, pictures, folder, listed_in), path, names, load))

    lists = read_lists(root, [path.stem for path in find_files(root / "inst", "*.mat")])
    splits = [
        Split(split, folder, len(stems), map(functools.partial(read, split), stems))
        for split, stems in lists.items()
    ]
    return LabeledSet(splits, names)


def _read(file: Path, path: Path, names: list[str], load: Any) -> LabeledImage:
    size = picture_size(file)
    objects, labels = _content(load, path)
    if objects.shape != size:
        raise EntryError(
            "mask of another size than its image",
            f"{path} is {' x '.join(map(str, objects.shape))} but its image is {size[0]} x {size[1]} "
            "(height x width); both must have the same size.",
        )
    numbers: Iterable[int] = np.unique(objects[objects > 0]).tolist()
    found = [attempt(functools.partial(_object, path, objects, labels, number, names)) for number in numbers]
    return LabeledImage(file, size, str(path), found)


def _object(
    path: Path, objects: np.ndarray, labels: list[int], number: int, names: list[str]
) -> LabeledObject:
    place = f"{path}, object {number}"
    if number > len(labels) or not 1 <= labels[number - 1] <= len(names):
        raise EntryError(
            "object without a class", f"{place} has no class among the {len(names)} that are known."
        )
    return LabeledObject(labels[number - 1] - 1, place, mask=objects == number)


def _loader() -> Any:
    try:
        from scipy.io import loadmat  # optional, and used only here
    except ImportError:
        raise DataError("scipy is not installed, which reads .mat files: pip install scipy.") from None
    return loadmat


def _content(load: Any, path: Path) -> tuple[np.ndarray, list[int]]:
    """The object number of each pixel [H, W], and the class number of each object."""
    if not path.is_file():
        raise EntryError("file that does not exist", f"{path} does not exist; check the folder inst.")
    try:
        truth = load(path, squeeze_me=True, struct_as_record=False)["GTinst"]
        labels: list[int] = np.atleast_1d(truth.Categories).astype(int).tolist()
        return np.asarray(truth.Segmentation).astype(np.int64), labels
    except Exception as error:  # scipy's parser raises anything on damaged files
        raise EntryError(
            "damaged file", f"{path} is not an instance file of SBD ({error}); get it again."
        ) from None
