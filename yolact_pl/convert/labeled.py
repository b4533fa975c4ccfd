"""Reader output: images with objects, independent of the source format."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from yolact_pl.data.annotations.annotations import DataError

Value = TypeVar("Value")


class EntryError(DataError):
    """An image or object that cannot be used; the rest of the set can.

    Args:
        kind: noun phrase for this kind of mistake, the same for all entries that have it.
        message: one sentence that names the place.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def attempt(read: Callable[[], Value]) -> Value | EntryError:
    """The result of reading an entry, or what is wrong with it."""
    try:
        return read()
    except EntryError as error:
        return EntryError(error.kind, str(error))  # without the traceback, which would keep images in memory


@dataclass(frozen=True, eq=False)
class LabeledObject:
    """One object, with either polygons or a mask."""

    label: int | str
    """The class: its index in `LabeledSet.class_names`, or its name."""
    place: str
    """Where it was read, for messages: file and line, or file and number."""
    polygons: list[np.ndarray] | None = None
    """Each [points, 2] float64 x, y in pixels; the object is their union."""
    mask: np.ndarray | None = None
    """[H, W] bool, at the size of the image."""


@dataclass(frozen=True, eq=False)
class LabeledImage:
    """One image file with its objects, if any."""

    file: Path
    size: tuple[int, int]
    """(height, width) in pixels."""
    place: str
    """Where its objects were read, for messages."""
    objects: list[LabeledObject | EntryError] = field(default_factory=list)


@dataclass(frozen=True)
class Split:
    """The images of one annotation file, read lazily."""

    name: str
    """train, val, ...; empty if the set is not divided."""
    images_folder: Path
    """File names are relative to it."""
    num_images: int
    images: Iterable[LabeledImage | EntryError]


@dataclass(frozen=True)
class LabeledSet:
    """Everything found at a source."""

    splits: list[Split]
    class_names: list[str] | None
    """By index, possibly with repeated names; None: the classes that occur, sorted."""
