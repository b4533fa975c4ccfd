"""Figures of an evaluation as pictures, for loggers."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from yolact_pl.evaluation.analysis.curves import precision_recall_curves
from yolact_pl.evaluation.analysis.tide import count_errors
from yolact_pl.evaluation.confusion_matrix import SCORE_THRESHOLD, confusion_matrix, worst_confusions
from yolact_pl.evaluation.matching.precision import RECALLS
from yolact_pl.evaluation.matching.set_matches import Kind, SetMatches
from yolact_pl.report.html import writable

Picture = NDArray[np.uint8]
MOST_CLASSES = 20
"""More are shown as their worst pairs."""
MOST_PAIRS = 15
NAME_LENGTH = 24
_PLACES = {
    "confusion": (0.3, 0.28, 0.66, 0.66),
    "precision_recall": (0.1, 0.1, 0.86, 0.83),
    "errors": (0.3, 0.1, 0.66, 0.83),
}
"""Of the axes, left, bottom, width, height: matplotlib's own layouts draw everything twice."""


def evaluation_figures(matches: SetMatches) -> dict[str, Picture]:
    """Confusion matrix, precision-recall curves and errors, each uint8 [H, W, 3] RGB."""
    figures = {}
    for name, draw in (("confusion", _confusion), ("precision_recall", _curves), ("errors", _errors)):
        figure = Figure(figsize=(6, 5), dpi=90)
        canvas = FigureCanvasAgg(figure)
        draw(figure.add_axes(_PLACES[name]), matches)
        canvas.draw()
        figures[name] = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return figures


def _confusion(axes: Axes, matches: SetMatches) -> None:
    matrix = confusion_matrix(matches)
    title = f"masks at IoU 0.5, scores above {SCORE_THRESHOLD:g}"
    if matches.num_classes > MOST_CLASSES:
        names = [*matches.class_names, "background"]
        pairs = worst_confusions(matrix, MOST_PAIRS)[::-1]
        _bars(
            axes,
            [_short(f"{names[pair.truth]} as {names[pair.prediction]}") for pair in pairs],
            [pair.times for pair in pairs],
        )
        axes.set_title(f"worst confusions, {title}", fontsize=10)
        return
    names = [_short(name) for name in (*matches.class_names, "background")]
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(matrix).tolist():
        color = "white" if share[row, column] > 0.6 else "black"
        axes.text(column, row, str(matrix[row, column]), ha="center", va="center", fontsize=7, color=color)
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=90, fontsize=8, parse_math=False)
    axes.set_yticks(ticks, names, fontsize=8, parse_math=False)
    axes.set_xlabel("prediction")
    axes.set_ylabel("truth")
    axes.set_title(title, fontsize=10)


def _curves(axes: Axes, matches: SetMatches) -> None:
    styles: dict[Kind, str] = {"mask": "-", "box": "--"}
    for kind, style in styles.items():
        for curve in precision_recall_curves(matches, kind):
            axes.plot(RECALLS, curve.overall, style, label=f"{kind} IoU {curve.iou_threshold:g}")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axes.set_title("mean over the classes", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def _errors(axes: Axes, matches: SetMatches) -> None:
    errors = count_errors(matches, "mask")
    costs = errors.costs[::-1]
    _bars(axes, [f"{cost.name} ({cost.number:,})" for cost in costs], [cost.gain for cost in costs])
    axes.set_xlabel("AP points that fixing it would gain")
    axes.set_title(f"errors of masks; AP at IoU 0.5 is {errors.ap50:.1f}", fontsize=10)


def _bars(axes: Axes, names: Sequence[str], values: Sequence[float]) -> None:
    places = np.arange(len(names))
    axes.barh(places, np.nan_to_num(values))
    axes.set_yticks(places, names, fontsize=8, parse_math=False)


def _short(name: str) -> str:
    """A class name that fits beside an axis."""
    text = writable(name).replace("\n", " ")
    return text if len(text) <= NAME_LENGTH else f"{text[: NAME_LENGTH - 1]}…"
