"""Boxes as pure functions. Every box is `xyxy` in pixels unless a name says otherwise."""

import torch
from torch import Tensor


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """[..., 4] corners to (centre x, centre y, width, height)."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), dim=-1)


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """[..., 4] (centre x, centre y, width, height) to corners."""
    cx, cy, w, h = boxes.unbind(-1)
    return torch.stack((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), dim=-1)


def scale_boxes(boxes: Tensor, *, x: float, y: float) -> Tensor:
    """[..., 4] xyxy in pixels of an image stretched by factors `x` and `y`."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack((x1 * x, y1 * y, x2 * x, y2 * y), dim=-1)


def box_area(boxes: Tensor) -> Tensor:
    """[..., 4] to [...]."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def box_intersection(a: Tensor, b: Tensor) -> Tensor:
    """Areas shared by every pair: [..., N, 4] and [..., M, 4] to [..., N, M]."""
    top_left = torch.maximum(a[..., :, None, :2], b[..., None, :, :2])
    bottom_right = torch.minimum(a[..., :, None, 2:], b[..., None, :, 2:])
    width, height = (bottom_right - top_left).clamp(min=0).unbind(-1)
    return width * height


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of every pair: [..., N, 4] and [..., M, 4] to [..., N, M]."""
    intersection = box_intersection(a, b)
    union = box_area(a)[..., :, None] + box_area(b)[..., None, :] - intersection
    return intersection / union
