"""Masks of one image that take little memory until they are asked for at the image's size."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from yolact_pl.images.bilinear import Axis, bilinear_axis, mix

Region = tuple[float, float, float, float]
"""Top, left, height and width in pixels of a map."""


class Patch(NamedTuple):
    """A mask inside of its bounding rectangle."""

    pixels: NDArray[np.bool_]
    """[h, w]; [0, 0] for an empty mask."""
    x: int
    """First column of the rectangle in the image."""
    y: int
    """First row."""

    @classmethod
    def trimmed(cls, pixels: NDArray[np.bool_], x: int = 0, y: int = 0) -> "Patch":
        """The patch of a mask that lies somewhere inside of `pixels`, whose corner is (x, y)."""
        left, top, width, height = cv2.boundingRect(pixels.view(np.uint8)) if pixels.size else (0, 0, 0, 0)
        if width == 0:
            return cls(np.zeros((0, 0), dtype=np.bool_), 0, 0)
        return cls(pixels[top : top + height, left : left + width], x + left, y + top)

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the rectangle in an array of the image's size."""
        height, width = self.pixels.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)


class SmallMasks(Protocol):
    """N masks of one image."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image."""
        ...

    def __len__(self) -> int: ...

    def rows(self, index: NDArray[np.int64]) -> "SmallMasks":
        """The masks of these rows, in this order."""
        ...

    def patch(self, row: int) -> Patch:
        """One mask at the image's size, inside of its bounding rectangle."""
        ...


@dataclass(frozen=True, eq=False)
class PixelMasks:
    """Masks whose pixels are known at the image's size."""

    patches: Sequence[Patch]
    size: tuple[int, int]

    @classmethod
    def of(cls, masks: NDArray[np.bool_]) -> "PixelMasks":
        """Copies of what [N, H, W] masks fill."""
        patches = [Patch.trimmed(mask) for mask in masks]
        return cls([patch._replace(pixels=patch.pixels.copy()) for patch in patches], masks.shape[1:])

    def __len__(self) -> int:
        return len(self.patches)

    def rows(self, index: NDArray[np.int64]) -> "PixelMasks":
        return PixelMasks([self.patches[row] for row in index], self.size)

    def patch(self, row: int) -> Patch:
        return self.patches[row]


@dataclass(frozen=True, eq=False)
class SoftMasks:
    """Masks at the prototypes' resolution, which grow when they are asked for: bilinear, then > 0.5.

    Interpolation is not antialiased, pixel centres lie at one half (torch's `align_corners=False`). The
    result is that of interpolating the whole maps.
    """

    patches: Sequence[NDArray[np.float32]]
    """[h, w] each, in 0..1: a window of the map, which is zero elsewhere."""
    corners: NDArray[np.int64]
    """[N, 2] x, y of the windows."""
    map_size: tuple[int, int]
    """(height, width) of the map."""
    region: Region
    """What of the map the image covers."""
    size: tuple[int, int]

    @classmethod
    def cropped(
        cls, masks: NDArray[np.float32], windows: NDArray[np.int64], region: Region, size: tuple[int, int]
    ) -> "SoftMasks":
        """Copies of what lies inside of the windows.

        Args:
            masks: [N, h, w] in 0..1.
            windows: [N, 4] xyxy in whole pixels of the map, see `crop_windows`.
            region: what of the map the image covers.
            size: (height, width) of the image.
        """
        cut = zip(masks, windows.tolist(), strict=True)
        patches = [mask[y1:y2, x1:x2].astype(np.float32) for mask, (x1, y1, x2, y2) in cut]
        return cls(patches, windows[:, :2], masks.shape[1:], region, size)

    @classmethod
    def of(cls, masks: NDArray[np.float32], size: tuple[int, int]) -> "SoftMasks":
        """Whole [N, h, w] masks, to be seen at another size."""
        height, width = masks.shape[1:]
        windows = np.tile(np.array([0, 0, width, height]), (len(masks), 1))
        return cls.cropped(masks, windows, (0, 0, height, width), size)

    def __len__(self) -> int:
        return len(self.patches)

    def rows(self, index: NDArray[np.int64]) -> "SoftMasks":
        patches = [self.patches[row] for row in index]
        return SoftMasks(patches, self.corners[index], self.map_size, self.region, self.size)

    def patch(self, row: int) -> Patch:
        soft, (left, top) = self.patches[row], self.corners[row].tolist()
        height, width = soft.shape
        y1, y2 = _reach(top, top + height, (self.region[0], self.region[2]), self.size[0])
        x1, x2 = _reach(left, left + width, (self.region[1], self.region[3]), self.size[1])
        if soft.size == 0 or y1 >= y2 or x1 >= x2:
            return Patch.trimmed(np.zeros((0, 0), dtype=np.bool_))
        vertical, horizontal = self._vertical.part(y1, y2), self._horizontal.part(x1, x2)
        top, left = top - int(self._vertical.before[y1]), left - int(self._horizontal.before[x1])
        source = _window(soft, top, left, (int(vertical.after[-1]) + 1, int(horizontal.after[-1]) + 1))
        grown = mix(source.take(horizontal.before, 1), source.take(horizontal.after, 1), horizontal.weight)
        grown = mix(grown.take(vertical.before, 0), grown.take(vertical.after, 0), vertical.weight[:, None])
        return Patch.trimmed(grown > 0.5, x1, y1)

    @cached_property
    def _vertical(self) -> Axis:
        return bilinear_axis(self.map_size[0], self.size[0], (self.region[0], self.region[2]))

    @cached_property
    def _horizontal(self) -> Axis:
        return bilinear_axis(self.map_size[1], self.size[1], (self.region[1], self.region[3]))


def crop_windows(
    boxes: NDArray[np.float32], size: tuple[int, int], padding: float = 1.0
) -> NDArray[np.int64]:
    """The part of each mask that is kept; the same pixels as `geometry.masks.crop_masks`.

    Args:
        boxes: [N, 4] xyxy in pixels of the mask, finite.
        size: (height, width) of the mask.
        padding: how far the window reaches over the box; the released weights were trained with 1 pixel.

    Returns:
        [N, 4] xyxy: pixel i is kept if start <= i < end.
    """
    corners = boxes.reshape(-1, 2, 2)
    limit = np.array(size[::-1], dtype=np.float32)
    start = np.clip(corners.min(axis=1) - np.float32(padding), 0, limit)
    end = np.clip(corners.max(axis=1) + np.float32(padding), 0, limit)
    return np.ceil(np.concatenate((start, end), axis=1)).astype(np.int64)


def _window(soft: NDArray[np.float32], top: int, left: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """[*size] with a patch at (top, left), which may reach over any edge, and zeros around."""
    window = np.zeros(size, dtype=np.float32)
    y, x = max(top, 0), max(left, 0)
    part = soft[y - top :, x - left :][: max(size[0] - y, 0), : max(size[1] - x, 0)]
    window[y : y + part.shape[0], x : x + part.shape[1]] = part
    return window


def _reach(start: int, end: int, part: tuple[float, float], new_length: int) -> tuple[int, int]:
    """First and end pixel along one axis outside of which no interpolated value exceeds 0.5.

    A value exceeds 0.5 only where the window's pixels weigh more than half: inside of their own area, seen as
    squares. One pixel more on each side is for rounding.
    """
    scale = new_length / part[1]
    first = floor((start - part[0]) * scale - 0.5) - 1
    last = ceil((end - part[0]) * scale - 0.5) + 2
    return min(max(first, 0), new_length), min(max(last, 0), new_length)
