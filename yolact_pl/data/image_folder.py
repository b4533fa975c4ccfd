"""Finding missing pictures without touching every file."""

import os
from pathlib import Path

from yolact_pl.data.coco_index import CocoIndex, DataError


def check_images(index: CocoIndex, folder: str | Path) -> None:
    """Check that every picture of an annotation file exists, listing each folder once.

    Raises:
        DataError: naming the first missing files and how many they are.
    """
    if not Path(folder).is_dir():
        raise DataError(f"images folder {folder} of {index.path} does not exist; check the path.")
    listings: dict[str, set[str]] = {}
    missing = []
    for position in range(len(index)):
        parent, name = os.path.split(index.file_name(position))
        if parent not in listings:
            listings[parent] = _list_folder(Path(folder), parent)
        if name not in listings[parent]:
            missing.append(index.file_name(position))
    if missing:
        named = ", ".join(ascii(name) if not name.isprintable() else name for name in missing[:3])
        raise DataError(
            f"{len(missing)} of {len(index)} pictures of {index.path} are missing in {folder}: {named}"
            f"{', ...' if len(missing) > 3 else ''}; add them or correct the file names."
        )


def _list_folder(folder: Path, parent: str) -> set[str]:
    try:
        with os.scandir(folder / parent) as entries:
            return {entry.name for entry in entries}
    except (OSError, ValueError):  # no such folder; a name that no file system takes
        return set()
