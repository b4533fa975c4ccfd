"""Boxes made more precise by the masks inside of them."""

import numpy as np
from numpy.typing import NDArray

from yolact_pl.results.masks import SoftMasks


def refined_boxes(boxes: NDArray[np.float32], masks: SoftMasks) -> NDArray[np.float32]:
    """The mean of each box and the rectangle around its mask; a box with an empty mask stays as it is.

    The regressed side and the outline of the mask err independently, so their mean errs less.

    Args:
        boxes: [N, 4] xyxy in pixels of the image.
        masks: their masks.
    """
    around = mask_rectangles(masks)
    return np.where(np.isnan(around), boxes, (boxes + around) / 2).astype(np.float32)


def mask_rectangles(masks: SoftMasks) -> NDArray[np.float32]:
    """[N, 4] xyxy in pixels of the image: where interpolated masks cross 1/2; nan for empty masks."""
    height, width = masks.map_size
    found = np.full((len(masks), 4), np.nan, dtype=np.float32)
    for row, (soft, (left, top)) in enumerate(zip(masks.patches, masks.corners.tolist(), strict=True)):
        if soft.size and soft.max() > 0.5:
            x1, x2 = _crossings(soft.max(axis=0), left, width)
            y1, y2 = _crossings(soft.max(axis=1), top, height)
            found[row] = x1, y1, x2, y2
    top, left, region_height, region_width = masks.region
    scale = masks.size[1] / region_width, masks.size[0] / region_height
    origin, factor, limit = (
        np.array([x, y] * 2, dtype=np.float32) for x, y in ((left, top), scale, masks.size[::-1])
    )
    return np.clip((found - origin) * factor, 0, limit)


def _crossings(profile: NDArray[np.float32], start: int, length: int) -> tuple[float, float]:
    """First and last position, on an axis of `length` pixels, where a profile from `start` on crosses 1/2.

    Pixel i has its centre at i + 1/2; outside of the profile is zero, but what reaches an end of the axis
    continues beyond.
    """
    inside = np.flatnonzero(profile > 0.5)
    first, last = int(inside[0]), int(inside[-1])
    low, high = float(start), float(start + len(profile))
    if start + first > 0:
        beyond = profile[first - 1] if first > 0 else 0.0
        low = start + first + 0.5 - _share(profile[first], beyond)
    if start + last < length - 1:
        beyond = profile[last + 1] if last + 1 < len(profile) else 0.0
        high = start + last + 0.5 + _share(profile[last], beyond)
    return low, high


def _share(inside: float, outside: float) -> float:
    """Of the way from a value above 1/2 to one that is not: where it crosses 1/2."""
    return (inside - 0.5) / (inside - outside)
