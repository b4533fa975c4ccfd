"""How much tracks and detections look like the same objects."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.tracking.grid_masks import GridMask


def box_iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, M] intersection over union of boxes [N, 4] and [M, 4] xyxy."""
    top_left = np.maximum(first[:, None, :2], second[:, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[:, 2:])
    shared = np.maximum(bottom_right - top_left, 0).prod(axis=2)
    area, other_area = ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second))
    return shared / np.maximum(area[:, None] + other_area - shared, 1e-9)


def mask_iou(
    first: Sequence[GridMask], second: Sequence[GridMask], where: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """[N, M] intersection over union of masks at the pairs for which `where` [N, M] is true, else 0."""
    iou = np.zeros(where.shape)
    for i, j in np.argwhere(where).tolist():
        iou[i, j] = first[i].iou(second[j])
    return iou


def cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """[N, M] cosine of the angle between coefficients [N, K] and [M, K]."""
    lengths = np.linalg.norm(first, axis=1)[:, None] * np.linalg.norm(second, axis=1)
    return (first @ second.T / np.maximum(lengths, 1e-9)).astype(np.float64)


def nearness(
    first: NDArray[np.float64], second: NDArray[np.float64], reach: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[N, M]: 1 for boxes with the same centre, falling to 0 at the distance `reach` [N], where it stays.

    The unit of distance is the root of the first box's area. Boxes of which one has more than four times the
    other's area have 0.
    """
    centre, other_centre = ((boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (first, second))
    length, other_length = (
        np.sqrt(np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1e-9)) for boxes in (first, second)
    )
    distance = np.linalg.norm(centre[:, None] - other_centre, axis=2) / length[:, None]
    ratio = other_length / length[:, None]
    near = 1 - distance / reach[:, None]
    return np.where((ratio > 0.5) & (ratio < 2), np.maximum(near, 0), 0)
