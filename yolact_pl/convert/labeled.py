"""What every reader gives: images with objects, whatever format they were in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False)
class LabeledObject:
    """One object; it has polygons or a mask, never both."""

    class_name: str
    place: str
    """Where it was read, for messages: file and line, or file and number."""
    polygons: list[np.ndarray] | None = None
    """Each [points, 2] float64 x, y in pixels; the object is what lies in any of them."""
    mask: np.ndarray | None = None
    """[H, W] bool, at the size of the image."""


@dataclass(frozen=True, eq=False)
class LabeledImage:
    """One image file with its objects, or with none."""

    file: Path
    size: tuple[int, int]
    """(height, width) in pixels."""
    place: str
    """Where its objects were read, for messages."""
    objects: list[LabeledObject] = field(default_factory=list)


@dataclass(frozen=True)
class Split:
    """Images that go into one annotation file, read when they are asked for."""

    name: str
    """train, val, ...; empty if the set is not divided."""
    images_folder: Path
    """File names are relative to it."""
    num_images: int
    images: Iterable[LabeledImage]


@dataclass(frozen=True)
class LabeledSet:
    """All that was found at a source."""

    splits: list[Split]
    class_names: list[str] | None
    """In the order of their numbers; None: those that occur, sorted."""
