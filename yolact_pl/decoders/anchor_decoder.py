"""The published decoder: softmax with background, box deltas to anchors."""

import math

import torch
from torch import Tensor

from yolact_pl.geometry.boxes import xyxy_to_cxcywh

CENTRE_VARIANCE = 0.1
SIZE_VARIANCE = 0.2
MAX_GROWTH = 1e4
"""Largest size of a decoded box in sizes of its anchor: far above what networks predict, but finite."""


class AnchorDecoder:
    """Softmax scores, column 0 of the logits being background; boxes coded as in SSD (section 2.2)."""

    def scores(self, class_logits: Tensor) -> Tensor:
        """[..., 1 + C] logits to [..., C] softmax scores without background, float32 or longer."""
        logits = class_logits.to(torch.promote_types(class_logits.dtype, torch.float32))
        return logits.softmax(dim=-1)[..., 1:]

    def confident(self, class_logits: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
        """See `Decoder.confident`. The softmax is computed for few anchors.

        A score cannot exceed sigmoid(its logit - the background's logit).
        """
        lead = class_logits[:, 1:].amax(dim=1).float() - class_logits[:, 0].float()
        needed = math.log(threshold / (1 - threshold)) - 1e-3 if threshold > 0 else -math.inf
        anchors = (lead > needed).nonzero()[:, 0]
        scores = self.scores(class_logits[anchors])
        confident = (scores.amax(dim=1) > threshold).nonzero()[:, 0]
        return anchors[confident], scores[confident]

    def encode(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """[..., 4] xyxy to (centre offset / anchor size / 0.1, log(size / anchor size) / 0.2)."""
        box, anchor = xyxy_to_cxcywh(boxes), xyxy_to_cxcywh(anchors)
        centre = (box[..., :2] - anchor[..., :2]) / (CENTRE_VARIANCE * anchor[..., 2:])
        size = torch.log(box[..., 2:] / anchor[..., 2:]) / SIZE_VARIANCE
        return torch.cat((centre, size), dim=-1)

    def decode(self, deltas: Tensor, anchors: Tensor) -> Tensor:
        """The inverse of `encode`; sizes are limited to `MAX_GROWTH`, so large deltas cannot overflow."""
        anchor = xyxy_to_cxcywh(anchors)
        centre = anchor[..., :2] + deltas[..., :2] * CENTRE_VARIANCE * anchor[..., 2:]
        size = anchor[..., 2:] * torch.exp(deltas[..., 2:] * SIZE_VARIANCE).clamp(max=MAX_GROWTH)
        top_left = centre - size / 2
        return torch.cat((top_left, top_left + size), dim=-1)
