"""Every image file opened once: whether it can be read, its size, its rotation mark, its content."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from yolact_pl.data.image_file import ImageError, read_image
from yolact_pl.doctor.check_files import Folders, existing_name
from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.findings import Finding
from yolact_pl.doctor.kinds import Kind

_ORIENTATION = 0x0112  # EXIF
_MAX_THREADS = 16


@dataclass(frozen=True, slots=True)
class Picture:
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


def look_at_pictures(coco_set: CocoSet, folders: Folders, known: dict[Path, Picture]) -> dict[int, Picture]:
    """The pictures of a set by image row, files that do not exist left out; shows a progress bar.

    Args:
        coco_set: with the names of the files.
        folders: that have been listed.
        known: pictures by file, which are not opened again; those that are opened are added.
    """
    files = {}
    for row, name in enumerate(coco_set.names):
        actual = existing_name(coco_set.folder, name, folders) if name and coco_set.folder else None
        if actual is not None and coco_set.folder is not None:
            files[row] = coco_set.folder / actual
    unknown = [file for file in dict.fromkeys(files.values()) if file not in known]
    bar = tqdm(total=len(unknown), desc=f"{coco_set.split} images", unit="image", leave=False)
    with bar, ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as threads:
        for file, picture in zip(unknown, threads.map(look_at, unknown), strict=True):
            known[file] = picture
            bar.update()
    return {row: known[file] for row, file in files.items()}


def look_at(path: Path) -> Picture:
    """Decode a file; a problem is part of the result."""
    try:
        pixels = read_image(path)
    except ImageError as error:
        return Picture((0, 0), problem=str(error))
    digest = hashlib.blake2b(str(pixels.shape).encode(), digest_size=16)
    digest.update(pixels.data)
    return Picture((pixels.shape[0], pixels.shape[1]), _orientation(path), digest.digest())


def _orientation(path: Path) -> int:
    try:
        with Image.open(path) as image:
            if image.format == "PNG" and not _has_exif(path.read_bytes()):
                return 1  # Pillow would decode all pixels to find out
            value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow's parsers raise anything; the pixels could be read
        return 1
    return value if value in range(1, 9) else 1


def _has_exif(png: bytes) -> bool:
    return b"eXIf" in png or b"Raw profile type" in png


def check_pictures(coco_set: CocoSet, pictures: dict[int, Picture]) -> Iterator[Finding]:
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
            detail = f"{coco_set.names[first]} shows the same"
            yield Finding(Kind.PICTURE_DOUBLE, split, detail, image=row)


def _check_size(coco_set: CocoSet, row: int, picture: Picture) -> Iterator[Finding]:
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
