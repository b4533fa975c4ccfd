"""The Semantic Boundaries Dataset: a .mat file an image, which scipy reads."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from yolact_pl.convert.labeled import LabeledImage, LabeledObject, LabeledSet, Split
from yolact_pl.convert.pictures import by_stem, list_images, picture_size
from yolact_pl.convert.voc import VOC_CLASSES, read_names
from yolact_pl.data.annotations.annotations import DataError


def read_sbd(source: Path, *, images: Path | None = None, classes: list[str] | None = None) -> LabeledSet:
    """A set in SBD's layout: img, inst, and train.txt and val.txt; without these all that are in inst.

    Args:
        source: the folder that has these, or one above it.
        images: folder of the images instead of img.
        classes: names of the numbers from 1 on instead of VOC's twenty.

    Raises:
        DataError: scipy is not installed, or files are missing or damaged.
    """
    inner = [source / name for name in (".", "dataset", "benchmark_RELEASE/dataset")]
    roots = [path for path in inner if (path / "inst").is_dir()]
    if not roots:
        raise DataError(f"{source} has no folder inst; give the folder that has img and inst in it.")
    root, names = roots[0], classes or list(VOC_CLASSES)
    folder = images or root / "img"
    pictures = by_stem(list_images(folder))
    lists = {
        name: read_names(root / f"{name}.txt")
        for name in ("train", "val")
        if (root / f"{name}.txt").is_file()
    }
    splits = []
    for name, stems in (lists or {"": sorted(path.stem for path in (root / "inst").glob("*.mat"))}).items():
        for stem in stems:
            if stem not in pictures:
                raise DataError(
                    f"{folder} has no image {stem}, which {f'{name}.txt' if name else 'inst'} names."
                )
        splits.append(Split(name, folder, len(stems), _read(root, [pictures[s] for s in stems], names)))
    return LabeledSet(splits, names)


def _read(root: Path, files: list[Path], names: list[str]) -> Iterator[LabeledImage]:
    load = _loader()
    for file in files:
        size, path = picture_size(file), root / "inst" / f"{file.stem}.mat"
        objects, labels = _content(load, path)
        if objects.shape != size:
            raise DataError(
                f"{path} is {' x '.join(map(str, objects.shape))} but its image is {size[0]} x {size[1]} "
                "(height x width); both must have the same size."
            )
        found = []
        for number in np.unique(objects[objects > 0]).tolist():
            place = f"{path}, object {number}"
            if number > len(labels) or not 1 <= labels[number - 1] <= len(names):
                raise DataError(f"{place} has no class among the {len(names)} that are known.")
            found.append(LabeledObject(names[labels[number - 1] - 1], place, mask=objects == number))
        yield LabeledImage(file, size, str(path), found)


def _loader() -> Any:
    try:
        from scipy.io import loadmat  # optional, and only of use here
    except ImportError:
        raise DataError("scipy is not installed, which reads .mat files: pip install scipy.") from None
    return loadmat


def _content(load: Any, path: Path) -> tuple[np.ndarray, list[int]]:
    """The number of the object at each pixel [H, W], and the class number of each object."""
    if not path.is_file():
        raise DataError(f"{path} does not exist; check the folder inst.")
    try:
        truth = load(path, squeeze_me=True, struct_as_record=False)["GTinst"]
        return np.asarray(truth.Segmentation).astype(np.int64), np.atleast_1d(truth.Categories).astype(
            int
        ).tolist()
    except Exception as error:  # scipy's parser raises anything on damaged files
        raise DataError(f"{path} is not an instance file of SBD ({error}); get it again.") from None
