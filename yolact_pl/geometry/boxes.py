"""Boxes as pure functions. Every box is `xyxy` in pixels unless a name says otherwise."""

import torch
from torch import Tensor

CENTRE_VARIANCE = 0.1
SIZE_VARIANCE = 0.2
MAX_GROWTH = 1e4
"""How many times larger than its anchor a decoded box can be: far above what networks say, but finite."""


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


def encode_boxes(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Boxes as the network predicts them: relative to an anchor each, scaled by the SSD variances.

    Args:
        boxes: [..., 4] xyxy.
        anchors: [..., 4] xyxy, one for each box.

    Returns:
        [..., 4] (centre offset / anchor size / 0.1, log(size / anchor size) / 0.2).
    """
    box, anchor = xyxy_to_cxcywh(boxes), xyxy_to_cxcywh(anchors)
    centre = (box[..., :2] - anchor[..., :2]) / (CENTRE_VARIANCE * anchor[..., 2:])
    size = torch.log(box[..., 2:] / anchor[..., 2:]) / SIZE_VARIANCE
    return torch.cat((centre, size), dim=-1)


def decode_boxes(deltas: Tensor, anchors: Tensor) -> Tensor:
    """The inverse of `encode_boxes`: [..., 4] deltas and [..., 4] anchors to xyxy boxes.

    The growth of the size is limited to `MAX_GROWTH`, so that large deltas cannot overflow.
    """
    anchor = xyxy_to_cxcywh(anchors)
    centre = anchor[..., :2] + deltas[..., :2] * CENTRE_VARIANCE * anchor[..., 2:]
    size = anchor[..., 2:] * torch.exp(deltas[..., 2:] * SIZE_VARIANCE).clamp(max=MAX_GROWTH)
    top_left = centre - size / 2
    return torch.cat((top_left, top_left + size), dim=-1)
