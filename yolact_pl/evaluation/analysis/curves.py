"""Precision-recall curves."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.evaluation.matching.precision import precision_table
from yolact_pl.evaluation.matching.ranking import rank_detections
from yolact_pl.evaluation.matching.set_matches import Kind, SetMatches


class Curves(NamedTuple):
    """Precision at the recalls 0, 0.01 ... 1 at one IoU threshold."""

    iou_threshold: float
    overall: NDArray[np.float64]
    """[101]: the mean over the classes with objects; nan if there are none."""
    per_class: NDArray[np.float64]
    """[C, 101], nan for classes without objects."""


def precision_recall_curves(
    matches: SetMatches, kind: Kind, *, iou_thresholds: tuple[float, ...] = (0.5, 0.75)
) -> list[Curves]:
    """The curves at each threshold, interpolated as COCO's AP does; AP is the mean of a curve."""
    tables = precision_table(rank_detections(matches, kind, iou_thresholds=iou_thresholds))
    defined = matches.num_truths > 0
    return [
        Curves(
            iou_threshold=threshold,
            overall=table[:, defined].mean(axis=1) if defined.any() else np.full(len(table), np.nan),
            per_class=table.T,
        )
        for threshold, table in zip(iou_thresholds, tables, strict=True)
    ]
