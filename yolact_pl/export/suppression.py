"""Non-maximum suppression as tensor operations of fixed shapes, for a batch.

Row for row what `geometry.nms` finds, without a loop or a shape that depends on values: suppressed rows and
rows that are too few get score 0.

Letters beside those of `structures`: G candidates, L candidates of each class, D detections.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

LEFT_OUT = -1.0
"""Score of what takes no part: below all scores."""
ROUNDS = 24
"""Of Cluster-NMS: chains of so many suppressions are followed."""
MIN_UNION = 1e-9
"""Square pixels: boxes without area overlap nothing."""


class Survivors(NamedTuple):
    """Detections of each image, best first; padding rows are 0."""

    anchors: Tensor
    """[B, D] int64."""
    labels: Tensor
    """[B, D] int64, 0-based."""
    scores: Tensor
    """[B, D] float32."""


class FastNms(nn.Module):
    """`geometry.nms.fast_nms` (YOLACT, section 3.4)."""

    def __init__(self, *, iou_threshold: float, max_candidates: int, max_detections: int) -> None:
        super().__init__()
        self.iou_threshold = iou_threshold
        self.max_candidates = max_candidates
        self.max_detections = max_detections

    def forward(self, boxes: Tensor, scores: Tensor) -> Survivors:
        """Boxes [B, A, 4] and scores [B, A, C], `LEFT_OUT` where an anchor takes no part."""
        num_candidates = min(self.max_candidates, scores.shape[1])
        top_scores, top = scores.transpose(1, 2).topk(num_candidates)  # [B, C, L]
        overlap = best_overlap(_rows(boxes, top.flatten(1)).unflatten(1, top.shape[1:]))
        kept = torch.where(overlap <= self.iou_threshold, top_scores, LEFT_OUT)
        best, position = kept.flatten(1).topk(min(self.max_detections, scores.shape[2] * num_candidates))
        classes = torch.arange(scores.shape[2], device=scores.device)[:, None].expand(-1, num_candidates)
        return _survivors(top.flatten(1).gather(1, position), classes.flatten()[position], best)


class CrossClassNms(nn.Module):
    """`geometry.nms.cross_class_nms`, of whose survivors the `max_detections` best are kept."""

    def __init__(self, *, iou_threshold: float, max_candidates: int, max_detections: int) -> None:
        super().__init__()
        self.iou_threshold = iou_threshold
        self.max_candidates = max_candidates
        self.max_detections = max_detections

    def forward(self, boxes: Tensor, scores: Tensor) -> Survivors:
        """See `FastNms`."""
        best_scores, labels = scores.max(dim=2)
        top_scores, top = best_scores.topk(min(self.max_candidates, scores.shape[1]))  # [B, G]
        kept = torch.where(best_overlap(_rows(boxes, top)) <= self.iou_threshold, top_scores, LEFT_OUT)
        best, position = kept.topk(min(self.max_detections, top.shape[1]))
        anchors = top.gather(1, position)
        return _survivors(anchors, labels.gather(1, anchors), best)


class ExactNms(nn.Module):
    """`geometry.nms.exact_nms` of the `max_candidates` best pairs of box and class.

    A fixed number of rounds of Cluster-NMS (Zheng et al. 2020, algorithm 1): in each one only boxes that
    still stand suppress others. That is greedy NMS once no chain of suppressions is longer than the rounds.
    """

    def __init__(
        self, *, iou_threshold: float, score_threshold: float, max_candidates: int, max_detections: int
    ) -> None:
        super().__init__()
        self.iou_threshold = iou_threshold
        self.score_threshold = score_threshold
        self.max_candidates = max_candidates
        self.max_detections = max_detections

    def forward(self, boxes: Tensor, scores: Tensor) -> Survivors:
        """See `FastNms`."""
        # The best pairs are among the best anchors: that leaves few to be sorted.
        top = scores.amax(dim=2).topk(min(self.max_candidates, scores.shape[1])).indices
        pairs = _rows(scores, top).flatten(1)  # [B, G C]
        top_scores, pair = pairs.topk(min(self.max_candidates, pairs.shape[1]))  # [B, G]
        classes = torch.arange(scores.shape[2], device=scores.device).expand(top.shape[1], -1)
        anchors = top[..., None].expand(-1, -1, scores.shape[2]).flatten(1).gather(1, pair)
        labels = classes.flatten()[pair]
        iou = _iou(_rows(boxes, anchors))
        rivals = (labels[:, :, None] == labels[:, None, :]) & _is_better(iou)
        suppresses = ((iou > self.iou_threshold) & rivals).float()  # [B, G better, G]
        stands = (top_scores > self.score_threshold).float()[:, None]  # [B, 1, G]
        takes_part = stands
        for _ in range(ROUNDS):
            stands = takes_part * (stands @ suppresses < 0.5).float()
        kept = torch.where(stands[:, 0] > 0.5, top_scores, LEFT_OUT)
        best, position = kept.topk(min(self.max_detections, top_scores.shape[1]))
        return _survivors(anchors.gather(1, position), labels.gather(1, position), best)


def best_overlap(boxes: Tensor) -> Tensor:
    """[..., G, 4] boxes, best first, to [..., G]: the largest IoU of each with a better one, 0 if none."""
    iou = _iou(boxes)
    return torch.where(_is_better(iou), iou, 0.0).amax(dim=-2)


def _iou(boxes: Tensor) -> Tensor:
    """[..., G, 4] to [..., G, G], as `geometry.boxes.box_iou` but 0 for boxes without area.

    Each coordinate is a matrix of its own: runtimes are several times slower on pairs of them side by side.
    """
    x1, y1, x2, y2 = boxes.unbind(-1)
    intersection = _shared_length(x1, x2) * _shared_length(y1, y2)
    area = (x2 - x1) * (y2 - y1)
    union = area[..., :, None] + area[..., None, :] - intersection
    return intersection / union.clamp(min=MIN_UNION)


def _shared_length(start: Tensor, end: Tensor) -> Tensor:
    """Of every pair of intervals: [..., G] to [..., G, G]."""
    last_start = torch.maximum(start[..., :, None], start[..., None, :])
    return (torch.minimum(end[..., :, None], end[..., None, :]) - last_start).clamp(min=0)


def _is_better(iou: Tensor) -> Tensor:
    """[G, G] bool: whether the row comes before the column."""
    rank = torch.arange(iou.shape[-1], device=iou.device)
    return rank[:, None] < rank


def _rows(values: Tensor, index: Tensor) -> Tensor:
    """[B, A, n] at [B, G] to [B, G, n]."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[2]))


def _survivors(anchors: Tensor, labels: Tensor, scores: Tensor) -> Survivors:
    found = scores > 0
    return Survivors(anchors * found, labels * found, torch.where(found, scores, 0.0))
