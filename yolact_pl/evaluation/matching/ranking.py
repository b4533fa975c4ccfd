"""Ranked detections, and which of them are right."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.evaluation.matching.greedy import assign, preferred_order
from yolact_pl.evaluation.matching.set_matches import Kind, SetMatches

MAX_DETECTIONS = 100
"""Of each image and class the best ones that count, as in COCO's AP."""
IOU_THRESHOLDS = tuple(percent / 100 for percent in range(50, 100, 5))


class Ranking(NamedTuple):
    """R detections by class, the best of each class first, judged at T IoU thresholds."""

    iou_thresholds: tuple[float, ...]
    detections: NDArray[np.int64]
    """[R]: the rows of `SetMatches`."""
    labels: NDArray[np.int64]
    """[R], ascending."""
    scores: NDArray[np.float32]
    """[R], falling within a class."""
    truths: NDArray[np.int64]
    """[T, R]: the object that it found, -1 for none."""
    right: NDArray[np.bool_]
    """[T, R]: it found an object that counts."""
    ignored: NDArray[np.bool_]
    """[T, R]: neither right nor wrong, as on a crowd region of its class."""
    num_truths: NDArray[np.int64]
    """[C] objects to find."""


def rank_detections(
    matches: SetMatches,
    kind: Kind,
    *,
    iou_thresholds: Sequence[float] = IOU_THRESHOLDS,
    scores: NDArray[np.float32] | None = None,
    area_range: tuple[float, float] = (0.0, np.inf),
) -> Ranking:
    """Match the detections of each class with its objects as COCO's AP does.

    Args:
        matches: of a set.
        kind: whose IoU counts.
        iou_thresholds: T of them.
        scores: [D] to rank by; None: those of the kind.
        area_range: objects whose area, in square pixels, is not in it (ends included) count as little as
            crowd regions, and so do detections of other sizes that match none.
    """
    scores = matches.ranked_by(kind) if scores is None else scores
    low, high = area_range
    ignored_truths = matches.iscrowd | (matches.true_areas < low) | (matches.true_areas > high)
    areas = matches.box_areas if kind == "box" else matches.mask_areas
    outside = (areas < low) | (areas > high)

    order = np.lexsort((-scores, matches.labels))
    order = order[_among_the_best(matches, order)]
    rank = np.full(len(scores), len(scores))
    rank[order] = np.arange(len(order))
    pairs = matches.overlaps(kind)
    of_one_class = matches.labels[pairs.detections] == matches.true_labels[pairs.truths]
    pairs = pairs.rows(of_one_class & (rank[pairs.detections] < len(scores)))
    pairs = preferred_order(pairs, ignored_truths)
    found = [
        assign(pairs, rank, matches.iscrowd, iou_threshold=threshold)[order] for threshold in iou_thresholds
    ]
    truths = np.array(found, np.int64).reshape(len(iou_thresholds), len(order))
    matched = truths >= 0
    on_ignored = matched & (np.append(ignored_truths, False)[truths])
    return Ranking(
        iou_thresholds=tuple(iou_thresholds),
        detections=order,
        labels=matches.labels[order],
        scores=scores[order],
        truths=truths,
        right=matched & ~on_ignored,
        ignored=on_ignored | (~matched & outside[order]),
        num_truths=np.bincount(matches.true_labels[~ignored_truths], minlength=matches.num_classes),
    )


def _among_the_best(matches: SetMatches, order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[D]: whether each ranked detection is among the `MAX_DETECTIONS` best of its image and class."""
    group = matches.labels[order] * len(matches.image_ids) + matches.images[order]
    by_group = np.argsort(group, kind="stable")
    sizes = np.unique(group, return_counts=True)[1]
    position = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kept = np.zeros(len(order), np.bool_)
    kept[by_group] = position < MAX_DETECTIONS
    return kept
