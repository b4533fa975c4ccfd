"""Confusion matrix of instance masks."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.evaluation.matching.greedy import assign, preferred_order
from yolact_pl.evaluation.matching.set_matches import SetMatches

SCORE_THRESHOLD = 0.3


class Confusion(NamedTuple):
    """A cell of a confusion matrix."""

    truth: int
    """Label; the number of classes stands for background."""
    prediction: int
    """Likewise."""
    times: int
    share: float
    """Of all that is in its row, 0..1."""


def confusion_matrix(
    matches: SetMatches, *, score_threshold: float = SCORE_THRESHOLD, iou_threshold: float = 0.5
) -> NDArray[np.int64]:
    """[C + 1, C + 1]: rows are the truth, columns the prediction, the last is background.

    The detections of an image are matched in the order of their scores: each takes the object with the
    largest mask IoU among those that no better detection took, whatever its class, if that IoU reaches the
    threshold. What stays unmatched is counted against the background. Crowd regions count as no object, and
    detections of their class whose mask is covered by one to the threshold are left out, as in COCO's AP.

    Args:
        matches: of a set.
        score_threshold: detections count whose score is higher.
        iou_threshold: of masks.
    """
    shown = matches.scores > score_threshold
    rank = np.argsort(np.argsort(-matches.scores, kind="stable"))
    pairs = matches.mask
    of_one_class = matches.labels[pairs.detections] == matches.true_labels[pairs.truths]
    pairs = pairs.rows(shown[pairs.detections] & (of_one_class | ~matches.iscrowd[pairs.truths]))
    pairs = preferred_order(pairs, matches.iscrowd)
    truths = assign(pairs, rank, matches.iscrowd, iou_threshold=iou_threshold)

    background = matches.num_classes
    true_labels = np.append(matches.true_labels, background)  # -1 is the background
    counted = shown & ~np.append(matches.iscrowd, False)[truths]
    missed = ~matches.iscrowd
    missed[truths[counted & (truths >= 0)]] = False
    rows = np.concatenate((true_labels[truths[counted]], matches.true_labels[missed]))
    columns = np.concatenate((matches.labels[counted], np.full(missed.sum(), background)))
    matrix = np.zeros((background + 1, background + 1), np.int64)
    np.add.at(matrix, (rows, columns), 1)
    return matrix


def worst_confusions(matrix: NDArray[np.int64], limit: int) -> list[Confusion]:
    """The most frequent mistakes, at most so many: first those between classes, none of the background.

    Args:
        matrix: see `confusion_matrix`.
        limit: how many.
    """
    wrong = matrix[:-1, :-1] * (1 - np.eye(len(matrix) - 1, dtype=np.int64))
    cells = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    totals = matrix.sum(axis=1)
    pairs = [divmod(int(cell), max(len(wrong), 1)) for cell in cells]
    return [
        Confusion(truth, prediction, int(wrong[truth, prediction]), wrong[truth, prediction] / totals[truth])
        for truth, prediction in pairs
        if wrong[truth, prediction]
    ]
