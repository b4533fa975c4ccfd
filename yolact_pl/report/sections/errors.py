"""Kinds of errors and what each costs."""

import math
from collections.abc import Mapping

from yolact_pl.evaluation.analysis.tide import Errors
from yolact_pl.report.plots import Bar, bar_table

MEANINGS = {
    "classification": "in the right place, but of another class",
    "localisation": "of the right class, but IoU between 0.1 and 0.5",
    "both": "of another class, and IoU between 0.1 and 0.5",
    "duplicate": "a better-scored detection has found the object",
    "background": "IoU of at most 0.1 with any object",
    "missed": "objects that none of these stands for",
}


def errors(kinds: Mapping[str, Errors]) -> str:
    """A table with bars for masks and one for boxes; nothing without objects."""
    return "".join(_table(kind, found) for kind, found in kinds.items() if not math.isnan(found.ap50))


def _table(kind: str, found: Errors) -> str:
    bars = [
        Bar(cost.name, MEANINGS[cost.name], cost.gain, [f"{cost.gain:.1f}", f"{cost.number:,}"])
        for cost in found.costs
    ]
    return (
        f"<h4>{kind.capitalize()}: AP50 {found.ap50:.1f}</h4>"
        f"{bar_table(['error', 'AP50 it costs', 'times'], bars)}"
        f"<p>Without any false detection AP50 would be {found.false_positive_gain:.1f} higher, without any "
        f"missed object {found.false_negative_gain:.1f}.</p>"
    )
