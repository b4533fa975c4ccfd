"""YOLO's data.yaml: the names of the classes, and where the images of each split are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from yolact_pl.data.annotations.annotations import DataError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class YoloYaml:
    """What a conversion needs of it."""

    names: list[str] | None
    """By number."""
    splits: dict[str, tuple[Path, list[Path] | None]]
    """Folder of the images, and the files if a list names them; None: all in the folder."""


def find_yaml(source: Path) -> Path | None:
    """The source itself, or the only yaml file in it.

    Raises:
        DataError: there are several.
    """
    if source.suffix.lower() in (".yaml", ".yml"):
        return source
    found = sorted((*source.glob("*.yaml"), *source.glob("*.yml")))
    named = [path for path in found if path.stem == "data"]
    if len(found) > 1 and len(named) != 1:
        raise DataError(f"{source} has {len(found)} yaml files; give the right one: source={found[0]}.")
    return (named or found or [None])[0]


def read_yaml(path: Path) -> YoloYaml:
    """Read and check it.

    Raises:
        DataError: it cannot be read, or an entry is of another type.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is not a yaml file that can be read ({reason}).") from None
    if not isinstance(content, dict):
        raise DataError(f'{path} must have "names", "train" and "val" but is a {type(content).__name__}.')
    splits = {}
    for name in SPLITS:
        value = content.get(name)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise DataError(f'{path}: "{name}" must be one folder or text file; convert several one by one.')
        splits[name] = _split(path, content.get("path"), value, name)
    return YoloYaml(_names(path, content.get("names")), {k: v for k, v in splits.items() if v is not None})


def _names(path: Path, names: Any) -> list[str] | None:
    """A list, or a mapping from numbers."""
    if names is None:
        return None
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            raise DataError(f'{path}: the numbers of "names" must be 0 to {len(names) - 1}.')
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names or not all(isinstance(n, str | int) for n in names):
        raise DataError(f'{path}: "names" must be a list of names, or numbers with a name each.')
    return [str(name) for name in names]


def _split(path: Path, root: Any, value: str, name: str) -> tuple[Path, list[Path] | None] | None:
    """Where a split's images are. A test set is often named but not there: that one is passed over."""
    bases = [path.parent]
    if isinstance(root, str) and root:  # often written for the folder above, or for another machine
        bases = [path.parent / root, path.parent.parent / root, path.parent]
    places = [base / value for base in bases]
    # Some exports write ../train/images for a folder that lies beside the yaml file.
    places += [base / value.removeprefix("../") for base in bases]
    for place in places:
        if place.is_dir():
            return place.resolve(), None
        if place.is_file():
            files = _listed(place, bases)
            return bases[0].resolve() if bases[0].is_dir() else path.parent.resolve(), files
    if name == "test":
        return None
    raise DataError(f'{path}: "{name}" is {value}, which does not exist; {places[0]} was looked for.')


def _listed(path: Path, bases: list[Path]) -> list[Path]:
    """The images that a text file names, one a line."""
    files = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        candidates = [base / line.strip() for base in (path.parent, *bases)]
        found = [candidate for candidate in candidates if candidate.is_file()]
        if not found:
            raise DataError(f"{path}, line {number}: there is no image {candidates[0]}.")
        files.append(found[0].resolve())
    return files
