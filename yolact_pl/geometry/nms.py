"""Non-maximum suppression: which of many overlapping boxes stay.

All functions take M boxes (xyxy, any unit) with scores [M, C] and return the survivors, best first, as three
tensors of N: the index of the box, its label and its score. A box can survive with several labels, except in
`cross_class_nms`.
"""

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from yolact_pl.geometry.boxes import box_iou

Survivors = tuple[Tensor, Tensor, Tensor]
"""([N] int64 index, [N] int64 label, [N] score), best first."""

CANDIDATES_AT_ONCE = 256
CLASSES_AT_ONCE = 100
"""Of a GPU's IoUs, [classes, L, L] at a time: 16 MB of L = 200 candidates."""


def fast_nms(
    boxes: Tensor,
    scores: Tensor,
    *,
    iou_threshold: float = 0.5,
    max_candidates: int = 200,
    max_detections: int = 100,
) -> Survivors:
    """Fast NMS (YOLACT, section 3.4): also boxes that are dropped themselves suppress others.

    Each class considers its `max_candidates` best boxes and drops those whose IoU with any better one exceeds
    `iou_threshold`; the `max_detections` best over all classes are returned, however low their scores.

    Args:
        boxes: [M, 4].
        scores: [M, C].
    """
    top_scores, top = scores.t().topk(min(max_candidates, len(boxes)), dim=1)  # [C, L], best first
    top_boxes = boxes[top]
    order = top_scores.flatten().argsort(descending=True, stable=True)
    search = _search_from_the_best if boxes.is_cpu else _search_all
    best = search(top_boxes, order, iou_threshold, max_detections)
    label, rank = _label_and_rank(best, top.shape[1])
    return top[label, rank], label, top_scores[label, rank]


def _search_from_the_best(
    top_boxes: Tensor, order: Tensor, iou_threshold: float, max_detections: int
) -> Tensor:
    """Survivors of fast NMS, on the CPU.

    A candidate's fate depends on better ones of its class only. So the candidates of all classes are judged
    together from the best down, until enough have survived: mostly a small part of them.

    Args:
        top_boxes: [C, L, 4], best first.
        order: [C L], positions in the flattened [C, L] by falling score.
        iou_threshold: a higher IoU drops the lower score.
        max_detections: of the result.

    Returns:
        The first of `order` that survive.
    """
    num_candidates = top_boxes.shape[1]
    ranks = torch.arange(num_candidates)
    survivors, found = [order[:0]], 0
    for candidates in order.split(CANDIDATES_AT_ONCE):
        label, rank = _label_and_rank(candidates, num_candidates)
        num_better = int(rank.max()) if len(rank) else 0
        iou = box_iou(top_boxes[label, rank, None], top_boxes[label, :num_better])[:, 0]
        suppressed = (iou > iou_threshold) & (ranks[:num_better] < rank[:, None])
        survivors.append(candidates[~suppressed.any(dim=1)])
        found += len(survivors[-1])
        if found >= max_detections:
            break
    return torch.cat(survivors)[:max_detections]


def _search_all(top_boxes: Tensor, order: Tensor, iou_threshold: float, max_detections: int) -> Tensor:
    """As `_search_from_the_best`, without waiting for the device before all candidates are judged."""
    suppressed = [
        (box_iou(part, part) > iou_threshold).triu(diagonal=1).any(dim=1)
        for part in top_boxes.split(CLASSES_AT_ONCE)
    ]
    return order[~torch.cat(suppressed).flatten()[order]][:max_detections]


def _label_and_rank(positions: Tensor, num_candidates: int) -> tuple[Tensor, Tensor]:
    """Positions in a flattened [C, L] table as (row, column)."""
    length = max(num_candidates, 1)
    return positions // length, positions % length


def cross_class_nms(
    boxes: Tensor, scores: Tensor, *, iou_threshold: float = 0.5, max_candidates: int = 200
) -> Survivors:
    """Fast NMS over all classes together: each box competes with its best class only.

    As published, the `max_candidates` best boxes take part and all survivors are returned.

    Args:
        boxes: [M, 4].
        scores: [M, C].
    """
    best_scores, labels = scores.max(dim=1)
    best_scores, index = best_scores.topk(min(max_candidates, len(boxes)))
    overlaps = box_iou(boxes[index], boxes[index]) > iou_threshold
    kept = (~overlaps.triu(diagonal=1).any(dim=0)).nonzero()[:, 0]
    index = index[kept]
    return index, labels[index], best_scores[kept]


def exact_nms(
    boxes: Tensor,
    scores: Tensor,
    *,
    iou_threshold: float = 0.5,
    score_threshold: float = 0.05,
    max_detections: int = 100,
) -> Survivors:
    """The usual greedy NMS of each class, by torchvision: a dropped box suppresses nobody.

    A box takes part in each class where its own score exceeds `score_threshold`, however many those are.

    The published "traditional" NMS differs in two details: it measures areas on a pixel grid, where a box is
    x2 - x1 + 1 wide, so that small boxes overlap more than they do here, and it drops a box at an IoU of just
    `iou_threshold`, where torchvision keeps it. Scores and boxes of what both keep are the same.

    Args:
        boxes: [M, 4].
        scores: [M, C].
    """
    index, labels = (scores > score_threshold).nonzero(as_tuple=True)
    best = scores[index, labels]
    kept = batched_nms(boxes[index], best, labels, iou_threshold)[:max_detections]
    return index[kept], labels[kept], best[kept]
