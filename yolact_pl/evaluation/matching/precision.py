"""Precision at each recall, as COCO samples it."""

import numpy as np
from numpy.typing import NDArray

from yolact_pl.evaluation.matching.ranking import Ranking

RECALLS = np.linspace(0, 1, 101)


def precision_table(ranking: Ranking) -> NDArray[np.float64]:
    """[T, 101, C] float64: interpolated precision at the recalls 0, 0.01 ... 1; nan: a class without objects.

    That is COCO's: the highest precision at this or a higher recall, 0 at recalls that are not reached.
    """
    tables = [
        class_precision(ranking.labels, right, ignored, ranking.num_truths)
        for right, ignored in zip(ranking.right, ranking.ignored, strict=True)
    ]
    return np.stack(tables)


def recall_table(ranking: Ranking) -> NDArray[np.float64]:
    """[T, C] float64: the highest recall of each class, nan for classes without objects."""
    found = [np.bincount(ranking.labels[right], minlength=len(ranking.num_truths)) for right in ranking.right]
    with np.errstate(invalid="ignore"):
        return np.stack(found) / ranking.num_truths


def class_precision(
    labels: NDArray[np.int64],
    right: NDArray[np.bool_],
    ignored: NDArray[np.bool_],
    num_truths: NDArray[np.int64],
) -> NDArray[np.float64]:
    """[101, C], see `precision_table`.

    Args:
        labels: [R], ascending; within a class the best detection first.
        right: [R].
        ignored: [R].
        num_truths: [C].
    """
    num_classes = len(num_truths)
    table = np.where(num_truths > 0, 0.0, np.nan) * np.ones((len(RECALLS), 1))
    counted = np.cumsum(~ignored)
    hits = np.flatnonzero(right)
    label = labels[hits]
    first = np.searchsorted(labels, np.arange(num_classes))  # of each class among the detections
    before = np.append(0, counted)[first]
    first_hit = np.searchsorted(label, np.arange(num_classes))
    nth = np.arange(len(hits)) - first_hit[label] + 1
    precision = nth / (counted[hits] - before[label])
    # The highest from here on, within the class: an offset per class keeps classes apart.
    offset = 2.0 * (num_classes - label)
    highest = np.maximum.accumulate((precision + offset)[::-1])[::-1] - offset
    reached = np.searchsorted(RECALLS, nth / num_truths[label], side="right")
    previous = np.where(nth > 1, np.roll(reached, 1), 0)
    lengths = reached - previous
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    table[np.repeat(previous, lengths) + within, np.repeat(label, lengths)] = np.repeat(highest, lengths)
    return table
