"""Best score threshold per class."""

import math
from collections.abc import Sequence

from yolact_pl.evaluation.analysis.thresholds import BestThreshold
from yolact_pl.report.html import text_table
from yolact_pl.report.sections.numbers import percent


def thresholds(best: Sequence[BestThreshold]) -> str:
    """Highest F1 at IoU 0.5 of each class, with its precision and recall."""
    known = sorted((one for one in best if not math.isnan(one.f1)), key=lambda one: -one.f1)
    if not known:
        return "<p>No detection is right.</p>"
    rows = [["class", "threshold", "F1", "precision", "recall"]]
    rows += [
        [one.name, f"{one.threshold:.2f}", *map(percent, (one.f1, one.precision, one.recall))]
        for one in known
    ]
    table = text_table(rows, "numbers sortable")
    if len(known) > 30:
        table = f"<details><summary>{len(known):,} classes</summary>{table}</details>"
    return (
        "<p>The score from which on detections of a class have the highest F1 (masks, IoU 0.5). "
        "<code>task=eval save_thresholds=true</code> stores them in a copy of the checkpoint, which predicts "
        f"with them for <code>min_score=auto</code>.</p>{table}"
    )
