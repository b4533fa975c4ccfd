"""Every image file opened once: whether it can be read, its size, its rotation mark, its content."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from yolact_pl.doctor.checks.files import Folders, existing_name
from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.findings import Finding, shown
from yolact_pl.doctor.kinds import Kind
from yolact_pl.images.image_file import ImageError, read_stored, turn_upright

_MAX_THREADS = 16


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of one image file."""

    size: tuple[int, int]
    """(height, width) upright."""
    orientation: int = 1
    """EXIF's number, 1 for none; from 5 on, the stored picture lies on its side."""
    digest: bytes = b""
    """Of the upright pixels."""
    problem: str = ""
    """Why it cannot be read; the rest is then without meaning."""

    @property
    def stored_size(self) -> tuple[int, int]:
        """(height, width) of the pixels in the file."""
        height, width = self.size
        return (height, width) if self.orientation < 5 else (width, height)


def look_at_pictures(
    coco_set: CocoSet, folders: Folders, opened: dict[Path, ImageFacts]
) -> dict[int, ImageFacts]:
    """The pictures of a set by image row, files that do not exist left out; a terminal shows how far it is.

    Args:
        coco_set: with the names of the files.
        folders: that have been listed.
        opened: pictures by file, which are not opened again; all others are added.
    """
    files = {}
    for row, name in enumerate(coco_set.names):
        actual = existing_name(coco_set.folder, name, folders) if name and coco_set.folder else None
        if actual is not None and coco_set.folder is not None:
            files[row] = coco_set.folder / actual
    unopened = [file for file in dict.fromkeys(files.values()) if file not in opened]
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as threads:
        pictures = tqdm(
            threads.map(look_at, unopened),
            f"images of {coco_set.split}",
            len(unopened),
            unit="image",
            leave=False,
            disable=None if unopened else True,  # None: only shown in a terminal
        )
        opened.update(zip(unopened, pictures, strict=True))
    return {row: opened[file] for row, file in files.items()}


def look_at(path: Path) -> ImageFacts:
    """Decode a file; a problem is part of the result."""
    try:
        stored, orientation = read_stored(path)
    except ImageError as error:
        return ImageFacts((0, 0), problem=str(error))
    pixels = turn_upright(stored, orientation)
    digest = hashlib.blake2b(str(pixels.shape).encode(), digest_size=16)
    digest.update(pixels.data)
    return ImageFacts((pixels.shape[0], pixels.shape[1]), orientation, digest.digest())


def check_pictures(coco_set: CocoSet, pictures: dict[int, ImageFacts]) -> Iterator[Finding]:
    """Pictures against what the json says of them, and against each other."""
    split = coco_set.split
    seen: dict[bytes, int] = {}
    for row, picture in pictures.items():
        if picture.problem:
            yield Finding(Kind.FILE_UNREADABLE, split, picture.problem, image=row)
            continue
        yield from _check_size(coco_set, row, picture)
        first = seen.setdefault(picture.digest, row)
        if coco_set.names[first] != coco_set.names[row]:
            detail = f"{shown(coco_set.names[first])} shows the same"
            yield Finding(Kind.PICTURE_DOUBLE, split, detail, image=row)


def _check_size(coco_set: CocoSet, row: int, picture: ImageFacts) -> Iterator[Finding]:
    height, width = coco_set.sizes[row].tolist()
    of_file = "{1} x {0}".format(*picture.size)
    if height != height:  # the json says nothing
        return
    if picture.orientation > 1 and (height, width) in (picture.size, picture.stored_size):
        detail = (
            f"orientation {picture.orientation}, upright {of_file}, the json says {width:.0f} x {height:.0f}"
        )
        yield Finding(Kind.EXIF_ROTATED, coco_set.split, detail, image=row)
    elif (height, width) != picture.size:
        kind = Kind.SIZE_SWAPPED if (width, height) == picture.size else Kind.SIZE_WRONG
        detail = f"the picture is {of_file}, the json says {width:.0f} x {height:.0f}"
        yield Finding(kind, coco_set.split, detail, image=row)
