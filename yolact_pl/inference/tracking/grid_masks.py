"""Masks at the prototypes' resolution."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.results.mask_parts import MaskParts
from yolact_pl.results.masks import SmallMasks, SoftMasks, crop_windows


class GridMask(NamedTuple):
    """One mask on the map."""

    pixels: NDArray[np.bool_]
    """[h, w]: a window of the map, which is false elsewhere."""
    x: int
    """First column of the window."""
    y: int
    """First row."""
    area: int
    """Pixels that are true."""

    @classmethod
    def of(cls, pixels: NDArray[np.bool_], x: int, y: int) -> "GridMask":
        """The mask of a window whose corner is (x, y)."""
        return cls(pixels, x, y, int(np.count_nonzero(pixels)))

    def moved(self, x: int, y: int) -> "GridMask":
        """So many pixels to the right and down."""
        return self._replace(x=self.x + x, y=self.y + y)

    def shared(self, other: "GridMask") -> int:
        """Pixels that both masks have."""
        own, others = self._windows(other)
        return int(np.count_nonzero(own & others))

    def iou(self, other: "GridMask") -> float:
        """Intersection over union."""
        shared = self.shared(other)
        return shared / max(self.area + other.area - shared, 1)

    def without(self, other: "GridMask") -> "GridMask":
        """What of it the other one does not cover."""
        left = self._replace(pixels=self.pixels.copy())
        own, others = left._windows(other)
        own &= ~others
        return GridMask.of(left.pixels, self.x, self.y)

    def _windows(self, other: "GridMask") -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """The part of the map that lies in both windows, of each."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        own, others = self.pixels[y - self.y :, x - self.x :], other.pixels[y - other.y :, x - other.x :]
        height, width = min(len(own), len(others)), min(own.shape[1], others.shape[1])
        return own[:height, :width], others[:height, :width]


def grid_masks(masks: SmallMasks) -> list[GridMask] | None:
    """The masks of one image on the map; None if they are kept in another form."""
    if not isinstance(masks, SoftMasks):
        return None
    corners = masks.corners.tolist()
    return [GridMask.of(patch > 0.5, x, y) for patch, (x, y) in zip(masks.patches, corners, strict=True)]


def grid_scale(masks: SoftMasks) -> NDArray[np.float64]:
    """Pixels of the map in a pixel of the image, horizontally and vertically."""
    return np.array([masks.region[3] / masks.size[1], masks.region[2] / masks.size[0]])


def carried_mask(
    coefficients: NDArray[np.float32], parts: MaskParts, box: NDArray[np.float64], masks: SoftMasks
) -> tuple[GridMask, NDArray[np.float32]]:
    """The mask that coefficients of an earlier frame make of the prototypes of this one.

    Args:
        coefficients: [K].
        parts: of this frame.
        box: xyxy in pixels of the image, to which the mask is cropped.
        masks: of this frame.

    Returns:
        The mask, and its probabilities in the same window.
    """
    offset = np.array([masks.region[1], masks.region[0]] * 2)
    on_map = (box * np.tile(grid_scale(masks), 2) + offset).astype(np.float32)
    x1, y1, x2, y2 = crop_windows(on_map[None], masks.map_size)[0].tolist()
    logits = np.tensordot(coefficients, parts.prototypes[:, y1:y2, x1:x2], axes=1)
    probabilities = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    return GridMask.of(probabilities > 0.5, x1, y1), probabilities.astype(np.float32)
