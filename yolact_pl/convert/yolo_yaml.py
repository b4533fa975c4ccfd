"""YOLO's data.yaml: class names, and the images of each split."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from yolact_pl.convert.files import find_files, locate, read_lines
from yolact_pl.convert.labeled import EntryError
from yolact_pl.convert.pictures import list_images
from yolact_pl.data.annotations.annotations import DataError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class YoloYaml:
    """The settings that a conversion needs."""

    names: list[str] | None
    """By class number."""
    splits: dict[str, tuple[Path, list[Path | EntryError]]]
    """A folder that contains all images of the split, and the images."""


def find_yaml(source: Path) -> Path | None:
    """The source itself, or the only yaml file in it.

    Raises:
        DataError: there are several.
    """
    if source.suffix.lower() in (".yaml", ".yml"):
        return source
    found = sorted((*find_files(source, "*.yaml"), *find_files(source, "*.yml")))
    named = [path for path in found if path.stem == "data"]
    if len(found) > 1 and len(named) != 1:
        raise DataError(f"{source} has {len(found)} yaml files; give the right one: source={found[0]}.")
    return (named or found or [None])[0]


def read_yaml(path: Path) -> YoloYaml:
    """Read and check it.

    Raises:
        DataError: it cannot be read, an entry has the wrong type, or a folder does not exist.
    """
    try:
        # All scalars are text: otherwise the names no and 1e3 would become False and 1000.0.
        content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is not a yaml file that can be read ({reason}).") from None
    if not isinstance(content, dict):
        raise DataError(f'{path} must have "names", "train" and "val" but is a {type(content).__name__}.')
    root, bases = content.get("path"), [path.parent]
    if isinstance(root, str) and root:  # often relative to the folder above, or of another machine
        bases = [path.parent / root, path.parent.parent / root, path.parent]
    splits = {}
    for name in SPLITS:
        values = content.get(name) or []
        values = values if isinstance(values, list) else [values]
        if not all(isinstance(value, str) and value for value in values):
            raise DataError(f'{path}: "{name}" must be a folder or a text file, or a list of these.')
        places = [locate(value, bases, least=2) for value in values]
        for value, place in zip(values, places, strict=True):
            if place is None and name != "test":  # a test set is often named but not there
                raise DataError(
                    f'{path}: "{name}" is {value}, which does not exist; {bases[0] / value} was looked for.'
                )
        there = [place for place in places if place is not None]
        if there:
            splits[name] = _split(there, bases)
    return YoloYaml(_names(path, content.get("names")), splits)


def names_by_line(path: Path) -> list[str]:
    """Names from a text file with one per line; an empty line in between is called by its number."""
    names = [line.strip() for line in read_lines(path)]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise DataError(f"{path} must have the name of a class in each line but is empty.")
    return [name or str(number) for number, name in enumerate(names)]


def _names(path: Path, names: Any) -> list[str] | None:
    """A list, or a mapping from numbers."""
    if names is None or names == "":
        return None
    if isinstance(names, dict):
        if set(names) != {str(number) for number in range(len(names))}:
            raise DataError(f'{path}: the numbers of "names" must be 0 to {len(names) - 1}.')
        names = [names[str(number)] for number in range(len(names))]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise DataError(f'{path}: "names" must be a list of names, or numbers with a name each.')
    return [name.strip() or str(number) for number, name in enumerate(names)]


def _split(places: list[Path], bases: list[Path]) -> tuple[Path, list[Path | EntryError]]:
    """The images of folders and lists, each once."""
    found: dict[Path, None] = {}
    errors: list[EntryError] = []
    for place in places:
        if place.is_dir():
            found |= dict.fromkeys(list_images(place))
            continue
        for number, line in enumerate(read_lines(place), 1):
            name = line.strip()
            image = locate(name, (place.parent, *bases)) if name else None
            if name and (image is None or not image.is_file()):
                message = f"{place}, line {number}: there is no image {place.parent / name}."
                errors.append(EntryError("listed image that does not exist", message))
            elif image in found:
                message = f"{place}, line {number}: {name} is already listed above."
                errors.append(EntryError("image listed twice", message))
            elif image is not None:
                found[image] = None
    folders = [*filter(Path.is_dir, places), *(image.parent for image in found)]
    return Path(os.path.commonpath(folders or [places[0].parent])), [*found, *errors]
