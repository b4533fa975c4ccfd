"""Box term on the IoU of decoded boxes."""

import math

import torch
from torch import Tensor, nn

from yolact_pl.geometry.boxes import box_area
from yolact_pl.losses.precision import at_least_float32
from yolact_pl.losses.term import TermInputs

KINDS = ("ciou", "giou")
EPSILON = 1e-7
"""Keeps quotients finite for boxes without area."""


class IouBoxLoss(nn.Module):
    """1 - CIoU (Zheng et al. 2020) or 1 - GIoU (Rezatofighi et al. 2019) of the positive anchors' boxes.

    Args:
        weight: of the term.
        kind: "ciou" or "giou".

    Raises:
        ValueError: another kind.
    """

    def __init__(self, weight: float = 5.0, *, kind: str = "ciou") -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"kind={kind!r} of IouBoxLoss: expected one of {', '.join(KINDS)}")
        self.weight = weight
        self.kind = kind

    def forward(self, inputs: TermInputs) -> Tensor:
        """See `Term`."""
        predictions, assignment = inputs.predictions, inputs.assignment
        deltas = at_least_float32(predictions.box_deltas[assignment.image, assignment.anchor])
        boxes = inputs.decoder.decode(deltas, predictions.anchors[assignment.anchor].to(deltas))
        truth = inputs.targets.boxes[assignment.objects].to(boxes)
        similarity = complete_iou(boxes, truth) if self.kind == "ciou" else generalized_iou(boxes, truth)
        return self.weight * ((1 - similarity) * assignment.weights).sum() / inputs.num_positives


# torchvision has both, but chooses rows by a mask, for which a GPU is waited for.


def generalized_iou(a: Tensor, b: Tensor) -> Tensor:
    """GIoU of pairs of boxes, [P, 4] xyxy each, in -1..1: [P]."""
    iou, union, hull = _iou_union_hull(a, b)
    area = hull.prod(-1)
    return iou - (area - union) / (area + EPSILON)


def complete_iou(a: Tensor, b: Tensor) -> Tensor:
    """CIoU of pairs of boxes, [P, 4] xyxy each, at most 1: [P]. `b` is the truth."""
    iou, _, hull = _iou_union_hull(a, b)
    diagonal = hull.square().sum(-1) + EPSILON
    apart = ((a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) / 2).square().sum(-1)
    angle_a, angle_b = (torch.atan2(x[:, 2] - x[:, 0], x[:, 3] - x[:, 1]) for x in (a, b))
    aspect = 4 / math.pi**2 * (angle_b - angle_a).square()
    with torch.no_grad():  # the paper's trade-off is a constant
        factor = aspect / (1 - iou + aspect + EPSILON)
    return iou - apart / diagonal - factor * aspect


def _iou_union_hull(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """IoU [P], union [P], and the sides [P, 2] of the smallest box around both."""
    sides = torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])
    intersection = sides.clamp(min=0).prod(-1)
    union = box_area(a) + box_area(b) - intersection
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    return intersection / (union + EPSILON), union, hull
