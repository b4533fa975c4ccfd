"""The modern decoder: sigmoid scores, distances from an anchor point to the sides of the box."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SHIFT = 0.55
"""softplus(0.55) is about 1: a delta of 0 is a distance of one cell."""
MIN_DISTANCE = 1e-4
"""In cells; what `encode` makes of shorter distances, and of sides that the point lies beyond."""


class PointDecoder:
    """Sigmoid scores without a background column; boxes as distances from the centre of a square anchor.

    A distance is softplus(delta + 0.55) sides of the anchor, always positive: boxes contain their point.
    """

    def scores(self, class_logits: Tensor) -> Tensor:
        """[..., C] logits to [..., C] sigmoid scores, float32 or longer."""
        return class_logits.to(torch.promote_types(class_logits.dtype, torch.float32)).sigmoid()

    def confident(self, class_logits: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
        """See `Decoder.confident`. The sigmoid is computed for few anchors."""
        needed = math.log(threshold / (1 - threshold)) - 1e-3 if threshold > 0 else -math.inf
        anchors = (class_logits.amax(dim=1).float() > needed).nonzero()[:, 0]
        scores = self.scores(class_logits[anchors])
        confident = (scores.amax(dim=1) > threshold).nonzero()[:, 0]
        return anchors[confident], scores[confident]

    def encode(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """[..., 4] xyxy to deltas of the left, top, right and bottom distance."""
        point, side = _point_and_side(anchors)
        distances = torch.cat((point - boxes[..., :2], boxes[..., 2:] - point), dim=-1) / side
        distances = distances.clamp(min=MIN_DISTANCE)
        return distances + torch.log(-torch.expm1(-distances)) - SHIFT  # the inverse of softplus

    def decode(self, deltas: Tensor, anchors: Tensor) -> Tensor:
        """The inverse of `encode`."""
        point, side = _point_and_side(anchors)
        distances = F.softplus(deltas + SHIFT) * side
        return torch.cat((point - distances[..., :2], point + distances[..., 2:]), dim=-1)


def _point_and_side(anchors: Tensor) -> tuple[Tensor, Tensor]:
    """[..., 2] centres and [..., 1] sides of square anchors."""
    return (anchors[..., :2] + anchors[..., 2:]) / 2, anchors[..., 2:3] - anchors[..., :1]
