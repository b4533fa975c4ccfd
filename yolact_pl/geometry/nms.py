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


def fast_nms(
    boxes: Tensor,
    scores: Tensor,
    *,
    iou_threshold: float = 0.5,
    max_candidates: int = 200,
    max_detections: int = 100,
) -> Survivors:
    """Fast NMS (YOLACT, section 3.4): also boxes that are dropped themselves suppress others.

    Each class looks at its `max_candidates` best boxes and drops those whose IoU with any better one exceeds
    `iou_threshold`; the `max_detections` best over all classes are returned, however low their scores.

    A candidate's fate depends on better ones of its class only. So on the CPU the candidates of all classes
    are judged together from the best down, until enough have survived: mostly a small part of them. Other
    devices judge all at once, which needs no answer from the device in between.

    Args:
        boxes: [M, 4].
        scores: [M, C].
    """
    num_candidates = min(max_candidates, len(boxes))
    top_scores, top = scores.t().topk(num_candidates, dim=1)  # [C, L], best first
    top_boxes = boxes[top]
    order = top_scores.flatten().argsort(descending=True, stable=True)
    ranks = torch.arange(num_candidates, device=boxes.device)

    survivors, found = [order[:0]], 0
    on_cpu = boxes.device.type == "cpu"
    for candidates in order.split(CANDIDATES_AT_ONCE if on_cpu else max(len(order), 1)):
        label, rank = _label_and_rank(candidates, num_candidates)
        num_better = int(rank.max()) if on_cpu and len(rank) else num_candidates
        iou = box_iou(top_boxes[label, rank, None], top_boxes[label, :num_better])[:, 0]
        suppressed = (iou > iou_threshold) & (ranks[:num_better] < rank[:, None])
        survivors.append(candidates[~suppressed.any(dim=1)])
        found += len(survivors[-1])
        if found >= max_detections:
            break

    best = torch.cat(survivors)[:max_detections]
    label, rank = _label_and_rank(best, num_candidates)
    return top[label, rank], label, top_scores[label, rank]


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
