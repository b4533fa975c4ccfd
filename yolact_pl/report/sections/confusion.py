"""Confusion matrix."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from yolact_pl.evaluation.confusion_matrix import worst_confusions
from yolact_pl.report.html import escape, text_table

STYLE = """
.matrix td { text-align: right; padding: .2rem .5rem; border: 0; font-variant-numeric: tabular-nums }
.matrix td:first-child, .matrix th:first-child { text-align: left; white-space: nowrap }
.matrix th { font-weight: 500; font-size: .85em; vertical-align: bottom }
"""
MOST_CLASSES = 20
"""More are shown as their worst pairs."""
MOST_PAIRS = 25


def confusion(
    matrix: NDArray[np.int64], class_names: Sequence[str], *, score_threshold: float, iou_threshold: float
) -> str:
    """Tables of counts and of shares of each row, or the worst pairs of many classes.

    Args:
        matrix: [C + 1, C + 1]; rows are the truth, columns the prediction, the last is background.
        class_names: C names.
        score_threshold: of the detections that are counted.
        iou_threshold: of masks that are matched.
    """
    text = (
        "<p>Rows are the truth, columns the prediction. "
        f"Masks match from IoU {iou_threshold:g} on; detections count with a score above {score_threshold:g}."
        "<br>Predicted background: missed objects; true background: false detections.</p>"
    )
    names = [*class_names, "background"]
    if len(class_names) <= MOST_CLASSES:
        totals = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        shares = matrix / totals
        by_share = [[f"{100 * value:.0f}" for value in row] for row in shares.tolist()]
        counts = [[f"{value:,}" for value in row] for row in matrix.tolist()]
        return (
            f"{text}<h4>Percent of each row</h4>{_table(by_share, shares, names)}"
            f"<details><summary>counts</summary>{_table(counts, shares, names)}</details>"
        )
    pairs = worst_confusions(matrix, MOST_PAIRS)
    if not pairs:
        return f"{text}<p>No object is taken for one of another class.</p>"
    rows = [["truth", "taken for", "times", "of the class"]]
    rows += [[names[p.truth], names[p.prediction], f"{p.times:,}", f"{100 * p.share:.0f} %"] for p in pairs]
    return f"{text}<h4>The worst of {len(class_names):,} classes</h4>{text_table(rows)}"


def _table(cells: Sequence[Sequence[str]], shares: NDArray[np.float64], names: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in ["truth", *names])
    rows = []
    for name, row, strength in zip(names, cells, shares.tolist(), strict=True):
        filled = [
            f'<td style="background: rgb(var(--bar) / {0.8 * share:.2f})">{"" if cell == "0" else cell}</td>'
            for cell, share in zip(row, strength, strict=True)
        ]
        rows.append(f"<tr><td>{escape(name)}</td>{''.join(filled)}</tr>")
    return (
        f'<div class="scroll"><table class="matrix"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
