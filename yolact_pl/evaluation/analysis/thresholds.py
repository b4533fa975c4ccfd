"""The score of each class above which detections are best shown."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.evaluation.confusion_matrix import SCORE_THRESHOLD
from yolact_pl.evaluation.matching.ranking import rank_detections
from yolact_pl.evaluation.matching.set_matches import SetMatches


class BestThreshold(NamedTuple):
    """The minimum score of one class with the highest F1; nan where no object of it was found."""

    name: str
    threshold: float
    """Detections with a higher score are shown."""
    f1: float
    precision: float
    recall: float


def best_thresholds(matches: SetMatches, *, iou_threshold: float = 0.5) -> list[BestThreshold]:
    """For each class the minimum score with the highest F1 of its masks; of equal ones the highest score.

    The threshold lies halfway between the lowest score that is shown and the next lower one.
    """
    ranking = rank_detections(matches, "mask", iou_thresholds=[iou_threshold], scores=matches.scores)
    counted = ~ranking.ignored[0]
    labels, scores, right = ranking.labels[counted], ranking.scores[counted], ranking.right[0][counted]
    ends = np.searchsorted(labels, np.arange(matches.num_classes + 1))
    return [
        _best(name, scores[start:end], right[start:end], int(count))
        for name, start, end, count in zip(
            matches.class_names, ends[:-1], ends[1:], ranking.num_truths, strict=True
        )
    ]


def usable_thresholds(best: Sequence[BestThreshold], *, otherwise: float = SCORE_THRESHOLD) -> list[float]:
    """One number per class: `otherwise` where no object of a class was found."""
    return [otherwise if math.isnan(one.threshold) else one.threshold for one in best]


def _best(name: str, scores: NDArray[np.float32], right: NDArray[np.bool_], num_truths: int) -> BestThreshold:
    if num_truths == 0 or not right.any():
        return BestThreshold(name, math.nan, math.nan, math.nan, math.nan)
    found, shown = np.cumsum(right), np.arange(1, len(right) + 1)
    f1 = 2 * found / (shown + num_truths)
    f1[:-1][scores[:-1] == scores[1:]] = -1  # no threshold can tell these apart
    k = int(f1.argmax())
    following = scores[k + 1] if k + 1 < len(scores) else np.float32(0.999) * scores[k]
    threshold = (float(scores[k]) + float(following)) / 2
    return BestThreshold(name, threshold, float(f1[k]), found[k] / shown[k], found[k] / num_truths)
