"""Facts from opening each image file once: readability, size, EXIF orientation, brightness, content."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from yolact_pl.data.annotations.orientation import annotated_upright, farthest_points
from yolact_pl.data.value_range import measure_value_range
from yolact_pl.doctor.checks.files import Folders, existing_name
from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.columns import column
from yolact_pl.doctor.findings import Finding, shown
from yolact_pl.doctor.kinds import Kind
from yolact_pl.images.depth import ValueRange
from yolact_pl.images.image_file import ImageError, read_stored, turn_upright

_MAX_THREADS = 16
DARK = 10
"""Below so much of 255 a picture counts as nearly black."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of one image file."""

    size: tuple[int, int]
    """(height, width) upright."""
    orientation: int = 1
    """EXIF's number, 1 for none; from 5 on, the stored picture lies on its side."""
    digest: bytes = b""
    """Of the upright pixels."""
    bright: int = 255
    """99 % of the values are at most so large, of 255."""
    problem: str = ""
    """Why it cannot be read; the other fields are then meaningless."""

    @property
    def stored_size(self) -> tuple[int, int]:
        """(height, width) of the pixels in the file."""
        height, width = self.size
        return (height, width) if self.orientation < 5 else (width, height)


def look_at_pictures(
    coco_set: CocoSet, folders: Folders, opened: dict[Path, ImageFacts]
) -> dict[int, ImageFacts]:
    """The pictures of a set by image row, missing files left out; shows progress in a terminal.

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
    value_range = None
    if coco_set.folder is not None and any(file not in opened for file in files.values()):
        value_range = measure_value_range(coco_set.folder, [name for name in coco_set.names if name])
    unopened = [file for file in dict.fromkeys(files.values()) if file not in opened]
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as threads:
        pictures = tqdm(
            threads.map(partial(look_at, value_range=value_range), unopened),
            f"images of {coco_set.split}",
            len(unopened),
            unit="image",
            leave=False,
            disable=None if unopened else True,  # None: only shown in a terminal
        )
        opened.update(zip(unopened, pictures, strict=True))
    return {row: opened[file] for row, file in files.items()}


def look_at(path: Path, value_range: ValueRange | None = None) -> ImageFacts:
    """Decode a file as training does; a problem is part of the result."""
    try:
        stored, orientation = read_stored(path, value_range=value_range)
    except ImageError as error:
        return ImageFacts((0, 0), problem=str(error))
    pixels = turn_upright(stored, orientation)
    digest = hashlib.blake2b(str(pixels.shape).encode(), digest_size=16)
    digest.update(pixels.data)
    bright = int(np.percentile(pixels[::4, ::4], 99))
    return ImageFacts((pixels.shape[0], pixels.shape[1]), orientation, digest.digest(), bright)


def check_pictures(coco_set: CocoSet, pictures: dict[int, ImageFacts]) -> Iterator[Finding]:
    """Image files against the json, and against each other."""
    split = coco_set.split
    seen: dict[bytes, int] = {}
    upright = set(_annotated_upright(coco_set, pictures).tolist())
    for row, picture in pictures.items():
        if picture.problem:
            yield Finding(Kind.FILE_UNREADABLE, split, picture.problem, image=row)
            continue
        yield from _check_size(
            coco_set, row, picture, Kind.EXIF_UPRIGHT if row in upright else Kind.EXIF_ROTATED
        )
        if picture.bright < DARK:
            detail = f"99 % of the values are below {picture.bright + 1} of 255"
            yield Finding(Kind.PICTURE_DARK, split, detail, image=row)
        first = seen.setdefault(picture.digest, row)
        if coco_set.names[first] != coco_set.names[row]:
            detail = f"{shown(coco_set.names[first])} shows the same"
            yield Finding(Kind.PICTURE_DOUBLE, split, detail, image=row)


def _annotated_upright(coco_set: CocoSet, pictures: dict[int, ImageFacts]) -> np.ndarray:
    """Rows of the images that training turns upright although the json has their stored size."""

    def lies_on_its_side(row: int) -> bool:
        picture = pictures.get(row)
        size = tuple(coco_set.sizes[row].tolist())
        return picture is not None and picture.orientation >= 5 and picture.stored_size == size

    segmentations = column(coco_set.annotations, "segmentation")
    reach = farthest_points(coco_set.boxes, segmentations, coco_set.image_of, len(coco_set.images))
    return annotated_upright(coco_set.sizes, reach, lies_on_its_side)


def _check_size(coco_set: CocoSet, row: int, picture: ImageFacts, turned: Kind) -> Iterator[Finding]:
    height, width = coco_set.sizes[row].tolist()
    of_file = "{1} x {0}".format(*picture.size)
    if height != height:  # the json says nothing
        return
    if picture.orientation > 1 and (height, width) in (picture.size, picture.stored_size):
        detail = (
            f"orientation {picture.orientation}, upright {of_file}, the json says {width:.0f} x {height:.0f}"
        )
        yield Finding(turned, coco_set.split, detail, image=row)
    elif (height, width) != picture.size:
        kind = Kind.SIZE_SWAPPED if (width, height) == picture.size else Kind.SIZE_WRONG
        detail = f"the picture is {of_file}, the json says {width:.0f} x {height:.0f}"
        yield Finding(kind, coco_set.split, detail, image=row)
