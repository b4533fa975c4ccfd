"""Outlines of masks along the edges of their pixels."""

import cv2
import numpy as np
from numpy.typing import NDArray

from yolact_pl.results.masks import Patch


def patch_polygons(patch: Patch) -> list[list[list[int]]]:
    """The outlines of one mask.

    Returns:
        For each connected part (pixels that touch at a corner are connected) its points [x, y] in pixels of
        the image, not closed. Holes are filled, as polygons in COCO's format cannot have them;
        pycocotools makes exactly the filled mask of them again.
    """
    if patch.pixels.size == 0:
        return []
    # At twice the size every outline pixel u lies at a corner of an original pixel, which is (u + 1) // 2.
    double = patch.pixels.view(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    contours, _ = cv2.findContours(double, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    offset = np.array([patch.x, patch.y])
    outlines = [_corners((contour[:, 0].astype(np.int64) + 1) // 2) + offset for contour in contours]
    return [outline.tolist() for outline in outlines]


def _corners(points: NDArray[np.int64]) -> NDArray[np.int64]:
    """The points [n, 2] of a closed outline at which it changes direction."""
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return points[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]
