"""Comparison of annotated boxes with mask bounds."""

import numpy as np


def clip_boxes(boxes: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Boxes [N, 4] xyxy cut to images [N, 2] of (width, height); not cut where that is NaN."""
    unknown = np.isnan(images)
    low, high = np.where(unknown, -np.inf, 0), np.where(unknown, np.inf, images)
    return np.clip(boxes, np.tile(low, 2), np.tile(high, 2))


def boxes_agree(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """[N] bool: whether boxes [N, 4] differ by 5 % of the other's larger side, or by 2 pixels, at most."""
    sides = (others[:, 2:] - others[:, :2]).max(axis=1)
    return np.abs(boxes - others).max(axis=1) <= np.maximum(2, 0.05 * sides)
