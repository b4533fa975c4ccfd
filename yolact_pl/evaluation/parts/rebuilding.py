"""Masks of known objects, rebuilt from the parts of an image."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.evaluation.parts.fitting import fit_coefficients
from yolact_pl.results.mask_parts import MaskParts
from yolact_pl.results.masks import Patch, Region, SoftMasks, crop_windows

Window = tuple[int, int, int, int]
"""xyxy in whole pixels of the prototypes."""


class Rebuilt(NamedTuple):
    """Mask IoU of an object with its mask as it is made, and as it could be made.

    What needs a detection is 0 for an object that has none.
    """

    predicted: float
    """Of the detection."""
    coefficients: float
    """With the best coefficients, in the detection's box."""
    box: float
    """With the detection's coefficients, in the object's box."""
    prototypes: float
    """With the best coefficients, in the object's box."""
    resolution: float
    """Of the object itself, seen at the prototypes' resolution."""


class Canvas:
    """The prototypes of one image, and how the image lies on them.

    Args:
        parts: of the image's detections.
        size: (height, width) of the image.
    """

    def __init__(self, parts: MaskParts, size: tuple[int, int]) -> None:
        self.prototypes = parts.prototypes
        self.size = size
        self.map_size = (parts.prototypes.shape[1], parts.prototypes.shape[2])
        height, width = self.map_size
        x1, y1, x2, y2 = parts.place
        self.region: Region = (y1 * height, x1 * width, (y2 - y1) * height, (x2 - x1) * width)

    def windows(self, relative_boxes: NDArray[np.float32]) -> list[Window]:
        """What masks are cropped to, for boxes [N, 4] xyxy relative to the network's input."""
        height, width = self.map_size
        scaled = relative_boxes * np.array([width, height, width, height], np.float32)
        return [tuple(window) for window in crop_windows(scaled, self.map_size).tolist()]

    def windows_of_image(self, boxes: NDArray[np.float32]) -> list[Window]:
        """The same for boxes [N, 4] xyxy in pixels of the image."""
        top, left, height, width = self.region
        scale = np.array([width / self.size[1], height / self.size[0]] * 2, np.float32)
        on_map = boxes * scale + np.array([left, top] * 2, np.float32)
        return [tuple(window) for window in crop_windows(on_map, self.map_size).tolist()]

    def best_mask(self, target: NDArray[np.float32], window: Window) -> Patch:
        """The mask of the coefficients that fit a target [h, w] best inside of a window."""
        inside = self._inside(window)
        return self.mask(fit_coefficients(self.prototypes[(slice(None), *inside)], target[inside]), window)

    def mask(self, coefficients: NDArray[np.float32], window: Window) -> Patch:
        """The mask of coefficients [K], cropped to a window, at the image's size."""
        logits = np.tensordot(coefficients, self.prototypes[(slice(None), *self._inside(window))], axes=1)
        return self._grown((0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32), window)

    def seen(self, target: NDArray[np.float32]) -> Patch:
        """The mask of a target [h, w] itself."""
        return self._grown(target, (0, 0, self.map_size[1], self.map_size[0]))

    def covered(self, mask: Patch) -> NDArray[np.float32]:
        """A mask of the image on the prototypes' grid, float32 [h, w]: the covered share of each pixel."""
        top, left, height, width = self.region
        share = _lengths(mask.pixels, mask.y, self.size[0], (top, height), self.map_size[0])
        return _lengths(share.T, mask.x, self.size[1], (left, width), self.map_size[1]).T.astype(np.float32)

    def _inside(self, window: Window) -> tuple[slice, slice]:
        x1, y1, x2, y2 = window
        return slice(y1, y2), slice(x1, x2)

    def _grown(self, soft: NDArray[np.float32], window: Window) -> Patch:
        corner = np.array([window[:2]])
        return SoftMasks([soft], corner, self.map_size, self.region, self.size).patch(0)


def rebuild(
    parts: MaskParts,
    size: tuple[int, int],
    masks: Sequence[Patch],
    boxes: NDArray[np.float32],
    partners: Sequence[int],
    predicted: Sequence[float],
) -> list[Rebuilt]:
    """What each object of an image loses in which part.

    The best coefficients are never worse than the predicted ones, which are among those that are tried.

    Args:
        parts: of the image's detections.
        size: (height, width) of the image.
        masks: N objects.
        boxes: [N, 4] xyxy of the objects, in pixels of the image.
        partners: N rows of detections, -1 for none.
        predicted: N mask IoUs of the objects with their detections.
    """
    canvas = Canvas(parts, size)
    of_truth, of_detections = canvas.windows_of_image(boxes), canvas.windows(parts.boxes)
    rebuilt = []
    for mask, window, partner, iou in zip(masks, of_truth, partners, predicted, strict=True):
        target = canvas.covered(mask)
        coefficients = box = 0.0
        best = patch_iou(mask, canvas.best_mask(target, window))
        if partner >= 0:
            own = parts.coefficients[partner]
            box = patch_iou(mask, canvas.mask(own, window))
            coefficients = max(iou, patch_iou(mask, canvas.best_mask(target, of_detections[partner])))
        resolution = patch_iou(mask, canvas.seen(target))
        rebuilt.append(Rebuilt(iou, coefficients, box, max(best, box), resolution))
    return rebuilt


def patch_iou(one: Patch, other: Patch) -> float:
    """Intersection over union of two masks of one image; 0 where both are empty."""
    x1, y1 = max(one.x, other.x), max(one.y, other.y)
    x2, y2 = (
        min(one.x + one.pixels.shape[1], other.x + other.pixels.shape[1]),
        min(one.y + one.pixels.shape[0], other.y + other.pixels.shape[0]),
    )
    shared = 0
    if x1 < x2 and y1 < y2:
        first = one.pixels[y1 - one.y : y2 - one.y, x1 - one.x : x2 - one.x]
        second = other.pixels[y1 - other.y : y2 - other.y, x1 - other.x : x2 - other.x]
        shared = int(np.count_nonzero(first & second))
    total = int(np.count_nonzero(one.pixels)) + int(np.count_nonzero(other.pixels)) - shared
    return shared / total if total else 0.0


def _lengths(
    values: NDArray[np.generic], first: int, length: int, part: tuple[float, float], cells: int
) -> NDArray[np.float64]:
    """The mean of [n, m] values over each cell of a coarser axis, [cells, m].

    Args:
        values: from pixel `first` on; zero elsewhere.
        first: pixel of an axis with `length` pixels.
        length: of the image.
        part: where the image starts on the coarse axis, and its length there.
        cells: of the coarse axis.
    """
    total = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=total[1:], dtype=np.float64)
    edges = (np.arange(cells + 1) - part[0]) / part[1] * length - first
    edges = np.clip(edges, 0, len(values))
    below = np.minimum(edges.astype(np.int64), max(len(values) - 1, 0))
    above = np.minimum(below + 1, len(values))
    at_edges = total[below] + (edges - below)[:, None] * (total[above] - total[below])
    return np.diff(at_edges, axis=0) / (length / part[1])
