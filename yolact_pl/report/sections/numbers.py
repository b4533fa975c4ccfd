"""Numbers: average precision, by size and class, and what was measured."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from yolact_pl.evaluation.metrics import AveragePrecision
from yolact_pl.report.html import escape, text_table

SIZE_NAMES = ("small", "medium", "large")


def ap_table(kinds: Mapping[str, AveragePrecision]) -> str:
    """AP of boxes, masks and what else was measured, in percent."""
    header = ["AP", "all", ".50", ".75", *SIZE_NAMES, "recall"]
    rows = [
        [
            kind,
            *map(percent, (ap.all, ap.at_iou[50], ap.at_iou[75], ap.small, ap.medium, ap.large, ap.recall)),
        ]
        for kind, ap in kinds.items()
    ]
    return text_table([header, *rows], "numbers")


def class_table(
    class_names: Sequence[str], counts: Sequence[int], kinds: Mapping[str, AveragePrecision]
) -> str:
    """AP of each class that has objects, best masks first; a click on a column sorts."""
    header = ["class", "objects", *(name for kind in kinds for name in (kind, f"{kind} .50"))]
    rows = []
    for label, name in enumerate(class_names):
        numbers = [ap.per_class[label] for ap in kinds.values()]
        if counts[label]:
            cells = [value for one in numbers for value in (one.ap, one.ap50)]
            rows.append((_of_mask(kinds, label), [name, f"{counts[label]:,}", *map(percent, cells)]))
    rows.sort(key=lambda row: -row[0])
    absent = sum(count == 0 for count in counts)
    note = f"<p>{absent:,} of {len(counts):,} classes have no object in these images.</p>" if absent else ""
    table = text_table([header, *(cells for _, cells in rows)], "numbers sortable")
    if len(rows) > 30:
        table = f"<details><summary>{len(rows):,} classes</summary>{table}</details>"
    return table + note


def measured_table(measured: Mapping[str, Any]) -> str:
    """What was measured and how."""
    rows = [
        f"<tr><td>{escape(name.replace('_', ' '))}</td><td>{escape(_words(value))}</td></tr>"
        for name, value in measured.items()
    ]
    return f'<div class="scroll"><table class="places"><tbody>{"".join(rows)}</tbody></table></div>'


def percent(value: float | None, digits: int = 1) -> str:
    """A share 0..1 as percent; - where it is undefined."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:.{digits}f}"


def _of_mask(kinds: Mapping[str, AveragePrecision], label: int) -> float:
    value = kinds["mask"].per_class[label].ap
    return -1.0 if math.isnan(value) else value


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {one}" for key, one in value.items() if one is not None)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
