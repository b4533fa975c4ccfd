"""Existence and names of image files, without opening them."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.findings import Finding, shown
from yolact_pl.doctor.kinds import Kind
from yolact_pl.images.formats import image_suffixes
from yolact_pl.images.image_file import is_file


class Folders:
    """Names in folders; each folder is listed once, however many names are asked for."""

    def __init__(self) -> None:
        self._listed: dict[Path, dict[str, str]] = {}

    def listed(self, folder: Path) -> dict[str, str]:
        """The names of the files in a folder by themselves in lower case; empty if there is no folder."""
        if folder not in self._listed:
            try:
                with os.scandir(folder) as entries:
                    names = [entry.name for entry in entries if not entry.is_dir()]
            except (OSError, ValueError):
                names = []
            self._listed[folder] = {name.lower(): name for name in names} | {name: name for name in names}
        return self._listed[folder]


def existing_name(folder: Path, name: str, folders: Folders) -> str | None:
    """A file name as it should be written, None if there is no such file.

    A file is also found if upper and lower case differ, or if it lies in the folder itself and the name leads
    through others, as the paths of another machine do.
    """
    parent, _, last = name.rpartition("/")
    found = folders.listed(folder / parent)
    if last in found and found[last] == last:
        return name
    if is_file(folder / name):  # a name that leads there in another way, or a system without case
        return name
    actual = found.get(last.lower())
    if actual is not None:
        return f"{parent}/{actual}" if parent else actual
    alone = name.replace("\\", "/").rpartition("/")[2]
    return alone if alone in folders.listed(folder) and folders.listed(folder)[alone] == alone else None


def check_files(coco_set: CocoSet, folders: Folders) -> Iterator[Finding]:
    """Whether the folder and each file are there, under just this name."""
    folder = coco_set.folder
    if folder is None or not folder.is_dir():
        detail = f"{coco_set.split}_images is not set" if folder is None else f"there is no folder {folder}"
        yield Finding(Kind.FOLDER_MISSING, coco_set.split, detail)
        return
    for row, name in enumerate(coco_set.names):
        if name is None:
            continue
        actual = existing_name(folder, name, folders)
        if actual is None:
            detail = f"{shown(name)} is not in {folder}"
            yield Finding(Kind.FILE_MISSING, coco_set.split, detail, image=row)
        elif actual != name:
            same_folder = actual.lower() == name.lower()
            kind = Kind.FILE_NAME_CASE if same_folder else Kind.FILE_NAME_FOLDER
            detail = f"{shown(name)} is {shown(actual)} in {folder}"
            yield Finding(kind, coco_set.split, detail, image=row, file_name=actual)


def check_listed(sets: Sequence[CocoSet], folders: Folders) -> Iterator[Finding]:
    """Pictures beside the images that no file lists; sets may share a folder."""
    used: dict[Path, tuple[str, set[str]]] = {}
    for coco_set in sets:
        for name in coco_set.names:
            if name is not None and coco_set.folder is not None:
                parent, _, last = (existing_name(coco_set.folder, name, folders) or name).rpartition("/")
                names = used.setdefault(coco_set.folder / parent, (coco_set.split, set()))[1]
                names.add(last.lower())
    for folder, (split, names) in used.items():
        for name in sorted(set(folders.listed(folder).values())):
            if name.lower() not in names and Path(name).suffix.lower() in image_suffixes():
                detail = f"{shown(name)} in {folder}"
                yield Finding(Kind.FILE_NOT_LISTED, split, detail)
