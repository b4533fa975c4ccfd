"""Bilinear interpolation along one axis: not antialiased, pixel centres at halves, as torch computes it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Axis(NamedTuple):
    """Where the pixels of a result come from, along one axis."""

    before: NDArray[np.int64]
    """The first source pixel of each."""
    after: NDArray[np.int64]
    """The second one."""
    weight: NDArray[np.float32]
    """Of the second one."""

    def part(self, start: int, end: int) -> "Axis":
        """Of some of the pixels; source pixels are counted from the first that is needed."""
        first = self.before[start]
        return Axis(self.before[start:end] - first, self.after[start:end] - first, self.weight[start:end])


def bilinear_axis(length: int, new_length: int, part: tuple[float, float] | None = None) -> Axis:
    """The axis of a resized image.

    Args:
        length: of the source.
        new_length: of the result.
        part: start and length of what the result shows of the source; None: all of it.
    """
    start, shown = (0.0, length) if part is None else part
    scale = np.float64(np.float32(shown / new_length))
    # torch multiplies and adds in one step and rounds once, to float32.
    position = (scale * (np.arange(new_length) + 0.5) + (start - 0.5)).astype(np.float32)
    position = np.maximum(position, 0)
    before = np.minimum(position.astype(np.int64), length - 1)
    return Axis(before, np.minimum(before + 1, length - 1), position - before.astype(np.float32))


def mix(
    first: NDArray[np.uint8] | NDArray[np.float32],
    second: NDArray[np.uint8] | NDArray[np.float32],
    weight: NDArray[np.float32],
) -> NDArray[np.float32]:
    """first + weight x (second - first)."""
    mixed = np.subtract(second, first, dtype=np.float32)
    mixed *= weight
    mixed += first
    return mixed
