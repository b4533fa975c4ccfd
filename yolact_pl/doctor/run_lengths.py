"""Run-length codes: problems, or bounds of the mask."""

from typing import Any

import numpy as np

from yolact_pl.data.annotations import rle
from yolact_pl.doctor.findings import shown
from yolact_pl.doctor.kinds import Kind
from yolact_pl.images.image_file import MAX_PIXELS


class CodeProblem(Exception):
    """Why a code cannot be used."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def run_lengths(segmentation: dict[str, Any], image_size: tuple[int, int] | None) -> np.ndarray:
    """The run lengths of an RLE object, background first, int64 [runs].

    Args:
        segmentation: with "size" and "counts".
        image_size: (height, width) that it must have, if known.

    Raises:
        CodeProblem: it cannot be used.
    """
    height, width = _size(segmentation.get("size"), image_size)
    lengths = _lengths(segmentation.get("counts"))
    pixels = height * width
    if (lengths < 0).any() or (lengths > pixels).any():
        raise CodeProblem(Kind.RLE_DAMAGED, f"a run is not from 0 to {pixels}")
    if lengths.sum() != pixels:
        raise CodeProblem(Kind.RLE_SUM, f"{lengths.sum()} instead of {height} x {width} = {pixels} pixels")
    if not lengths[1::2].any():
        raise CodeProblem(Kind.RLE_EMPTY, "all runs of the object are 0")
    return lengths


def _size(size: Any, image_size: tuple[int, int] | None) -> tuple[int, int]:
    sides: list[Any] = size if isinstance(size, list) and len(size) == 2 else [None, None]
    if any(type(side) not in (int, float) or not 1 <= side <= MAX_PIXELS or side % 1 for side in sides):
        raise CodeProblem(Kind.RLE_SIZE, f"the size is {shown(size)}")
    height, width = int(sides[0]), int(sides[1])
    if image_size is not None and (height, width) != image_size:
        kind = Kind.RLE_SIZE_SWAPPED if (width, height) == image_size else Kind.RLE_SIZE
        raise CodeProblem(kind, f"the size is {[height, width]}, the image's {list(image_size)}")
    return height, width


def _lengths(counts: Any) -> np.ndarray:
    try:
        return rle.read_counts(counts)
    except ValueError:
        raise CodeProblem(Kind.RLE_DAMAGED, f"the counts are {shown(counts, 30)}") from None


def code_bounds(lengths: np.ndarray, height: int) -> list[int]:
    """The box xyxy around the pixels of a mask of this height that has some; runs go down the columns."""
    ends = np.cumsum(lengths)
    first, last = ends[:-1:2], ends[1::2] - 1  # of each run of the object
    some = last >= first
    first, last = first[some], last[some]
    x, y = np.divmod(np.stack((first, last)), height)
    if (x[0] != x[1]).any():  # a run that continues in the next column touches bottom and top
        return [int(x.min()), 0, int(x.max()) + 1, height]
    return [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1]
