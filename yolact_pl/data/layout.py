"""Usual folder layouts of data sets: annotation files and their images."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from yolact_pl.data.annotations.coco_json import DataError
from yolact_pl.images.image_file import is_file

_FILE_NAME = re.compile(rb'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")')
_CHUNK = 1 << 24


class SetFiles(NamedTuple):
    """Files of one set."""

    json: Path
    images: Path


@dataclass(frozen=True)
class _Layout:
    """One usual way to lay out a set; `{split}` is what its part is called."""

    json: str
    """A pattern below the root."""
    images: tuple[str, ...]
    """Folders below the root, most likely first; `{name}` is what the json's name says after `instances_`."""


_IMAGES = ("{name}", "images/{name}", "{split}", "images/{split}", "{split}/images", "images", ".")
_LAYOUTS = (
    _Layout("annotations/instances_{split}*.json", _IMAGES),
    _Layout("annotations/{split}*.json", _IMAGES),
    _Layout("{split}/_annotations.coco.json", ("{split}", "{split}/images")),
    _Layout("{split}/annotations.json", ("{split}", "{split}/images")),
    _Layout("{split}/labels.json", ("{split}/data", "{split}")),
    _Layout("{split}.json", _IMAGES),
    _Layout("instances_{split}*.json", _IMAGES),
)
_WHOLE = (
    _Layout("annotations/instances_default.json", ("images/default", "images", "default", ".")),
    _Layout("annotations.json", ("images", ".")),
    _Layout("_annotations.coco.json", (".", "images")),
    _Layout("result.json", ("images", ".")),
    _Layout("labels.json", ("data", ".")),
)
"""Of sets that are not split; the whole set is to train on."""
_SPLITS = {"train": ("train",), "val": ("val", "valid", "validation")}


def find_files(root: str | Path) -> dict[str, SetFiles]:
    """The files to train on, "train", and to validate with, "val", of a folder; a set may lack either.

    Known are the layouts of COCO, Roboflow, CVAT, Label Studio and FiftyOne, and such with `train.json` and
    `val.json`. A test part is never used.

    Raises:
        DataError: no such folder, no annotation file or several of a split, or one without images; says what
            was looked for.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"root={root} is not a folder; give the folder of a data set in COCO format.")
    found = {split: files for split in _SPLITS if (files := _find_split(root, split)) is not None}
    if not found and (whole := _first(root, _WHOLE, "")) is not None:
        found["train"] = whole
    if not found:
        raise DataError(
            f"root={root} has no annotation file where one was looked for ({', '.join(_patterns())}; val may "
            "also be called valid or validation); give "
            "train_json and train_images, val_json and val_images instead."
        )
    return found


def _find_split(root: Path, split: str) -> SetFiles | None:
    for name in _SPLITS[split]:
        files = _first(root, _LAYOUTS, name)
        if files is not None:
            return files
    return None


def _first(root: Path, layouts: tuple[_Layout, ...], split: str) -> SetFiles | None:
    for layout in layouts:
        files = sorted(root.glob(layout.json.format(split=split)))
        if len(files) > 1:
            names = " and ".join(str(file.relative_to(root)) for file in files)
            raise DataError(f"root={root} has {names}; choose one by {split}_json and {split}_images.")
        if files:
            return SetFiles(files[0], _images_of(root, files[0], layout, split))
    return None


def _images_of(root: Path, file: Path, layout: _Layout, split: str) -> Path:
    """The first folder with the first image; else the first that exists, so that the reader complains."""
    name = file.stem.removeprefix("instances_")
    folders = dict.fromkeys(root / folder.format(name=name, split=split) for folder in layout.images)
    existing = [folder for folder in folders if folder.is_dir()]
    first = _first_file_name(file)
    if first is not None:
        for folder in existing:
            if is_file(folder / first):
                return folder
    inside = [folder for folder in existing if folder != root]
    if not inside:
        looked = ", ".join(str(folder.relative_to(root)) for folder in folders if folder != root)
        raise DataError(
            f"root={root} has no folder with the images of {file.relative_to(root)}, looked for {looked}; "
            f"give {split or 'train'}_json and {split or 'train'}_images instead."
        )
    return inside[0]


def _first_file_name(file: Path) -> str | None:
    """The first image that a json names, found without reading it all; None if there is none."""
    rest = b""
    for chunk in _chunks(file):
        match = _FILE_NAME.search(rest + chunk)
        if match is not None:
            try:
                name = json.loads(match[1])
            except ValueError:
                return None
            return name if "\0" not in name else None
        rest = chunk[-4096:]
    return None


def _chunks(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                yield chunk
    except OSError:  # reported by the reader of the file
        return


def _patterns() -> list[str]:
    """All patterns, for an error message."""
    patterns = [layout.json.format(split=split) for layout in _LAYOUTS for split in ("train", "val")]
    return [*patterns, *(layout.json for layout in _WHOLE)]
