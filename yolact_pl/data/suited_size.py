"""Input size that suits the objects of a data set."""

import math
from typing import NamedTuple

import numpy as np

from yolact_pl.data.annotations.annotations import Annotations

WANTED = 32
"""Pixels that the median object should have on the input, the square root of its box: COCO calls objects with
less small."""
SMALLEST, LARGEST = 256, 640
MOST_ENLARGED = 1.25
"""More pixels than the images have tell the network nothing; a few more give small objects more cells."""
MULTIPLE = 32
"""The coarsest map of the backbone has one cell for so many pixels."""


class SuitedSize(NamedTuple):
    """An input size and what it follows from, all in pixels."""

    side: int
    """Of the square input."""
    object_side: float
    """Median square root of the box areas."""
    image_side: float
    """Median square root of the image areas, each image counting for each of its objects."""

    def __str__(self) -> str:
        return f"median object {self.object_side:.0f} px in images of {self.image_side:.0f} px"


def suited_size(known: Annotations) -> SuitedSize:
    """The smallest multiple of 32 that makes the median object 32 pixels large.

    At least 256 and at most 640, and at most a quarter above what the images have.

    Args:
        known: with at least one object that is no crowd region.
    """
    rows = ~known.iscrowd
    boxes = known.boxes[rows].astype(np.float64)
    objects = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    owners = known.image_indices[rows]
    images = np.sqrt(known.widths[owners].astype(np.float64) * known.heights[owners])
    wanted = WANTED / max(float(np.median(objects / images)), 1e-6)
    image_side = float(np.median(images))
    side = min(max(wanted, SMALLEST), LARGEST)
    most = max(MOST_ENLARGED * image_side // MULTIPLE, 1) * MULTIPLE
    return SuitedSize(
        side=int(min(math.ceil(side / MULTIPLE) * MULTIPLE, most)),
        object_side=float(np.median(objects)),
        image_side=image_side,
    )
