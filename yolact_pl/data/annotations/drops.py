"""Dropped annotations by reason, summarised in one line."""

from enum import IntEnum

import numpy as np


class Reason(IntEnum):
    """Why an annotation is dropped; 0 means "used"."""

    OUTSIDE = 1
    ZERO_SIZE = 2
    NO_SEGMENTATION = 3
    FEW_POINTS = 4
    ODD_COORDINATES = 5
    FAR_OUTSIDE = 6
    OTHER_SIZE = 7
    DAMAGED_RLE = 8
    EMPTY_RLE = 9


_WORDS = {
    Reason.OUTSIDE: ("box outside of the image", "boxes outside of the image"),
    Reason.ZERO_SIZE: ("box of zero size", "boxes of zero size"),
    Reason.NO_SEGMENTATION: ("without a segmentation", "without a segmentation"),
    Reason.FEW_POINTS: ("polygon with fewer than 3 points", "polygons with fewer than 3 points"),
    Reason.ODD_COORDINATES: (
        "polygon with an odd number of coordinates",
        "polygons with an odd number of coordinates",
    ),
    Reason.FAR_OUTSIDE: ("polygon far outside of the image", "polygons far outside of the image"),
    Reason.OTHER_SIZE: ("RLE of another size than its image", "RLEs of another size than their images"),
    Reason.DAMAGED_RLE: ("damaged RLE", "damaged RLEs"),
    Reason.EMPTY_RLE: ("RLE without any pixel", "RLEs without any pixel"),
}


class Drops:
    """Collects the first reason per annotation."""

    def __init__(self, num_annotations: int) -> None:
        self.reasons = np.zeros(num_annotations, np.int8)

    def add(self, rows: np.ndarray | int, reason: Reason | np.ndarray) -> None:
        """Drop rows (a mask or indices) for one reason or one each, unless dropped already."""
        self.reasons[rows] = np.where(self.reasons[rows] == 0, reason, self.reasons[rows])

    @property
    def kept(self) -> np.ndarray:
        """[annotations] bool."""
        return self.reasons == 0

    def summary(self, rings: np.ndarray) -> str | None:
        """One line, or None if all is used; `rings`: reasons of polygons dropped from kept annotations."""
        if self.kept.all() and len(rings) == 0:
            return None
        dropped = int((~self.kept).sum())
        line = f"{dropped} of {len(self.reasons)} annotations dropped"
        if dropped:
            line += f": {_list_reasons(self.reasons[~self.kept])}"
        if len(rings):
            line += f"; left out of other annotations: {_list_reasons(rings)}"
        return line


def _list_reasons(reasons: np.ndarray) -> str:
    counts = np.bincount(reasons, minlength=len(Reason) + 1).tolist()
    return ", ".join(f"{counts[r]} {_WORDS[r][counts[r] > 1]}" for r in Reason if counts[r])
