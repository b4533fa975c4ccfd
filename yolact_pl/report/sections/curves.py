"""Precision-recall curves, scores of right and wrong detections, calibration."""

from collections.abc import Sequence

import numpy as np

from yolact_pl.evaluation.analysis.curves import Curves, precision_recall_curves
from yolact_pl.evaluation.analysis.scores import score_histogram
from yolact_pl.evaluation.matching.set_matches import SetMatches
from yolact_pl.report.html import escape
from yolact_pl.report.plots import Line, histogram, line_plot, plots

RECALLS = np.linspace(0, 1, 101)
MOST_CLASSES = 24
"""With a curve each: those with the lowest AP at IoU 0.5."""


def curves(matches: SetMatches) -> str:
    """Of masks; overall, and of the classes with the lowest AP."""
    mask, box = (precision_recall_curves(matches, kind) for kind in ("mask", "box"))
    overall = [
        Line(f"{kind} IoU {one.iou_threshold:g}", RECALLS, one.overall)
        for kind, found in (("mask", mask), ("box", box))
        for one in found
    ]
    shown = [_precision("Precision, mean over the classes", overall)]
    return plots([*shown, *scores(matches)]) + _per_class(mask, matches.class_names)


def scores(matches: SetMatches) -> list[str]:
    """Histogram of mask scores, and how many of each score are right."""
    found = score_histogram(matches, "mask")
    total = found.right + found.wrong
    if not total.any():
        return []
    share = np.where(total > 0, found.right / np.maximum(total, 1), np.nan)
    error = f"calibration error {found.calibration_error:.2f}"
    return [
        histogram(
            "Detections by score; right: IoU 0.5 and class",
            ["right", "wrong"],
            [found.right, found.wrong],
            x_range=(0.0, 1.0),
            x_label="score",
            root=True,
        ),
        line_plot(
            f"Share of right detections by score; {error}",
            [
                Line("detections", found.mean_scores, share),
                Line("calibrated", [0, 1], [0, 1]),
            ],
            x_label="score",
            x_range=(0.0, 1.0),
            y_range=(0.0, 1.0),
        ),
    ]


def _per_class(found: Sequence[Curves], names: Sequence[str]) -> str:
    """A plot per class, folded."""
    aps = found[0].per_class.mean(axis=1)
    worst = [label for label in map(int, np.argsort(aps)) if not np.isnan(aps[label])]
    if len(worst) < 2:
        return ""
    shown = [
        _precision(
            names[label],
            [Line(f"IoU {one.iou_threshold:g}", RECALLS, one.per_class[label]) for one in found],
        )
        for label in worst[:MOST_CLASSES]
    ]
    which = (
        f"the {MOST_CLASSES} worst classes" if len(worst) > MOST_CLASSES else "each class, the worst first"
    )
    return f"<details><summary>masks of {escape(which)}</summary>{plots(shown)}</details>"


def _precision(title: str, lines: Sequence[Line]) -> str:
    return line_plot(title, lines, x_label="recall", x_range=(0.0, 1.0), y_range=(0.0, 1.0))
