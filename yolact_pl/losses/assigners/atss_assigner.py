"""Adaptive training sample selection: a static assignment without thresholds to set."""

import torch
from torch import Tensor

from yolact_pl.geometry.boxes import box_iou
from yolact_pl.losses.assigners.assigner import BACKGROUND, NEUTRAL, Assignment
from yolact_pl.losses.assigners.known_anchors import KnownAnchors
from yolact_pl.losses.assigners.points import centres, contains
from yolact_pl.structures import Predictions, Targets


class AtssAssigner:
    """Chooses anchors by an IoU threshold that each object's candidates imply (ATSS, algorithm 1).

    The candidates of an object are, among the anchors of each size, the `topk` whose centres are closest to
    its own. Positive are those whose IoU reaches the mean plus the standard deviation of the candidates' and
    whose centres lie in the object. An anchor that several objects take goes to the one of highest IoU, of
    equal ones to the first. A crowd region makes the anchors in it neutral that are not positive.

    It depends on anchors and targets alone and is computed on the CPU, where the targets are.

    Args:
        topk: candidates per size of anchors.
        anchor_scale: size of the boxes that IoUs are taken with, in anchors: 8 for anchor points as large as
            their cell, as in the paper.
    """

    def __init__(self, *, topk: int = 9, anchor_scale: float = 8.0) -> None:
        if topk < 1:
            raise ValueError(f"assigner.topk={topk}: expected at least 1 candidate")
        self.topk = topk
        self.anchor_scale = anchor_scale
        self.on_cpu = KnownAnchors(_on_cpu)

    @torch.no_grad()
    def __call__(self, predictions: Predictions, targets: Targets) -> Assignment:
        """See `Assigner`. A GPU is waited for only with anchors that were not seen before."""
        anchors = self.on_cpu(predictions.anchors)
        labels = torch.full((len(targets), len(anchors)), BACKGROUND)
        image, anchor, objects = [], [], []
        for index in range(len(targets)):
            own = targets.image == index
            rows = (own & ~targets.iscrowd).nonzero()[:, 0]
            found, holder = self._assign(targets.boxes[rows].float(), anchors)
            labels[index, found] = targets.labels[rows[holder]] + 1
            regions = targets.boxes[own & targets.iscrowd].float()
            covered = contains(regions, anchors, min_side=0.0).any(0)
            labels[index, covered & (labels[index] == BACKGROUND)] = NEUTRAL
            image.append(torch.full_like(found, index))
            anchor.append(found)
            objects.append(rows[holder])
        counts = [len(part) for part in anchor]
        weights = torch.ones(sum(counts))
        assignment = Assignment(
            labels, torch.cat(image), torch.cat(anchor), torch.cat(objects), weights, counts
        )
        return assignment.to(predictions.class_logits.device)

    def _assign(self, boxes: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
        """The positive anchors of an image, ascending, and for each the number of its object."""
        if not len(boxes):
            return torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
        middle = (anchors[:, :2] + anchors[:, 2:]) / 2
        half = self.anchor_scale * (anchors[:, 2:] - anchors[:, :2]) / 2
        iou = box_iou(boxes, torch.cat((middle - half, middle + half), 1))
        distance = torch.cdist((boxes[:, :2] + boxes[:, 2:]) / 2, centres(anchors))
        is_candidate = torch.zeros_like(iou, dtype=torch.bool)
        # Anchors of a level have one area up to rounding.
        sizes = (half.prod(1).log2() * 8).round()
        for size in sizes.unique():
            level = (sizes == size).nonzero()[:, 0]
            closest = distance[:, level].topk(min(self.topk, len(level)), dim=1, largest=False).indices
            is_candidate.scatter_(1, level[closest], True)
        of_candidates = torch.where(is_candidate, iou, torch.nan)
        count = is_candidate.sum(1, keepdim=True)
        mean = of_candidates.nanmean(1, keepdim=True)
        variance = torch.where(is_candidate, (iou - mean) ** 2, 0.0).sum(1, keepdim=True) / (count - 1).clamp(
            min=1
        )
        positive = is_candidate & (iou >= mean + variance.sqrt()) & contains(boxes, anchors)
        highest, holder = torch.where(positive, iou, -1.0).max(0)
        found = (highest >= 0).nonzero()[:, 0]
        return found, holder[found]


def _on_cpu(anchors: Tensor) -> Tensor:
    return anchors.float().cpu()
