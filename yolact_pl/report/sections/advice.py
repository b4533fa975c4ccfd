"""What to do next: the largest gains, a sentence each."""

import math

from yolact_pl.evaluation.analysis.tide import Errors
from yolact_pl.evaluation.parts.shares import PARTS, PartShares
from yolact_pl.report.html import escape
from yolact_pl.report.sections.errors import MEANINGS
from yolact_pl.report.sections.remedies import AGAINST, Setting, remedy

MOST = 3


def advice(shares: PartShares | None, errors: Errors | None, setting: Setting) -> str:
    """An ordered list; by the parts of the network where they are known, else by the kinds of errors."""
    if shares is not None and errors is not None and not math.isnan(shares.sizes["all"].ap):
        gains = shares.sizes["all"].gains
        order = sorted(PARTS, key=lambda part: -gains[part])[:MOST]
        lines = [
            f"<b>{part}: {100 * gains[part]:.1f} AP.</b> {escape(remedy(part, shares, setting, errors))}"
            for part in order
            if gains[part] >= 0.005
        ]
    elif errors is not None and not math.isnan(errors.ap50):
        lines = [
            f"<b>{cost.name}: {cost.gain:.1f} AP50.</b> {cost.number:,} {escape(MEANINGS[cost.name])}: "
            f"{escape(AGAINST[cost.name])}."
            for cost in errors.costs[:MOST]
            if cost.gain >= 0.5
        ]
    else:
        return ""
    if not lines:
        return "<h2>What to do next</h2><p>Nothing: masks and classes are right.</p>"
    items = "".join(f"<li>{line}</li>" for line in lines)
    return f"<h2>What to do next</h2><ol>{items}</ol>"
