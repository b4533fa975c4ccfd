"""Detections of one view of a large image, small enough to keep until all views are done."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.drawing.label_places import Rectangle
from yolact_pl.results.detections import Detections
from yolact_pl.results.masks import Patch, PixelMasks, SoftMasks

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2."""

CUT_MARGIN = 0.01
"""Of the view's longer side: a box seldom ends just where its object is cut."""
MIN_CUT_MARGIN = 2.0  # pixels


@dataclass(frozen=True)
class Part:
    """An object as one view shows it, in pixels of the whole image."""

    box: Box
    score: float
    mask_score: float
    label: int
    mask: NDArray[np.bool_]
    """[h, w]: only the rectangle that it fills, [0, 0] for an empty one."""
    place: Rectangle
    """Of that rectangle."""
    view: Rectangle
    """Rectangle of the image that the view shows."""
    cut: bool
    """Whether it touches a border of the view that is not a border of the image."""


def detected_parts(detections: Detections, view: Rectangle, size: tuple[int, int]) -> list[Part]:
    """The detections of one view as parts of the image.

    Args:
        detections: in pixels of the view, which may have been reduced.
        view: its rectangle in the large image.
        size: (height, width) of the large image.
    """
    left, top, right, bottom = view
    shown = detections.size
    scale_x, scale_y = (right - left) / shown[1], (bottom - top) / shown[0]
    boxes: list[list[float]] = detections.boxes.tolist()
    scores, mask_scores = detections.scores.tolist(), detections.mask_scores.tolist()
    parts = []
    for i, label in enumerate(detections.labels.tolist()):
        x1, y1, x2, y2 = boxes[i]
        box = (x1 * scale_x + left, y1 * scale_y + top, x2 * scale_x + left, y2 * scale_y + top)
        mask, x, y = _enlarged(detections.mask_patch(i), shown, (bottom - top, right - left))
        place = (left + x, top + y, left + x + mask.shape[1], top + y + mask.shape[0])
        cut = _is_cut(box, view, size)
        parts.append(Part(box, scores[i], mask_scores[i], label, mask, place, view, cut))
    return parts


def as_detections(parts: list[Part], size: tuple[int, int]) -> Detections:
    """Parts in the given order, as detections of an image of (height, width)."""
    return Detections(
        boxes=np.array([part.box for part in parts], dtype=np.float32).reshape(-1, 4),
        scores=np.array([part.score for part in parts], dtype=np.float32),
        mask_scores=np.array([part.mask_score for part in parts], dtype=np.float32),
        labels=np.array([part.label for part in parts], dtype=np.int64),
        small_masks=PixelMasks([Patch(part.mask, part.place[0], part.place[1]) for part in parts], size),
    )


def _is_cut(box: Box, view: Rectangle, size: tuple[int, int]) -> bool:
    left, top, right, bottom = view
    margin = max(MIN_CUT_MARGIN, CUT_MARGIN * max(right - left, bottom - top))
    return (
        (left > 0 and box[0] < left + margin)
        or (top > 0 and box[1] < top + margin)
        or (right < size[1] and box[2] > right - margin)
        or (bottom < size[0] and box[3] > bottom - margin)
    )


def _enlarged(patch: Patch, size: tuple[int, int], new_size: tuple[int, int]) -> Patch:
    """A mask of an image of (height, width) at another size of that image."""
    if size == new_size or patch.pixels.size == 0:
        return patch
    corner, region = np.array([[patch.x, patch.y]]), (0, 0, *size)
    return SoftMasks([patch.pixels.astype(np.float32)], corner, size, region, new_size).patch(0)
