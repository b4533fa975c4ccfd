"""Which part of the network failed."""

import math

from yolact_pl.evaluation.analysis.tide import Errors
from yolact_pl.evaluation.parts.shares import PARTS, PartShares, SizeShares
from yolact_pl.report.html import text_table
from yolact_pl.report.plots import Bar, bar_table
from yolact_pl.report.sections.numbers import percent
from yolact_pl.report.sections.remedies import Setting, remedy

_STAGES = {
    "predicted": "as predicted",
    "coefficients": "best coefficients, predicted box",
    "box": "predicted coefficients, true box",
    "prototypes": "best coefficients, true box",
    "resolution": "true mask at the prototypes' resolution",
}


def failed_parts(shares: PartShares, setting: Setting, found: Errors) -> str:
    """Bars of what each part costs, by size, and what to do about it; `found`: the errors of masks."""
    if shares.sizes["all"].objects == 0:
        return "<p>No object is on these images.</p>"
    present = {name: one for name, one in shares.sizes.items() if one.objects}
    sizes = [name for name in present if name != "all"]
    bars = []
    for part in sorted(PARTS, key=lambda part: -_gain(shares.sizes["all"], part)):
        gains = [percent(present[name].gains[part]) for name in ("all", *sizes)]
        bars.append(Bar(part, remedy(part, shares, setting, found), _gain(shares.sizes["all"], part), gains))
    return "".join(
        [
            "<p>Each mask is rebuilt with one part after the other made perfect, and mask AP counted again. "
            f"Mask AP here is {percent(shares.sizes['all'].ap)}; with all parts perfect it is 100.</p>",
            bar_table(["part, and what helps", "AP it costs", *sizes], bars),
            "<h4>Mean mask IoU of the objects that were found</h4>",
            text_table(_iou_rows(present), "numbers"),
            _missed(shares),
            _sample(shares),
        ]
    )


def _iou_rows(present: dict[str, SizeShares]) -> list[list[str]]:
    rows = [["", *present]]
    for field, name in _STAGES.items():
        rows.append([name, *(percent(one.iou[field]) for one in present.values())])
    rows.append(["objects found", *(f"{one.objects - one.missed:,}" for one in present.values())])
    rows.append(["objects missed", *(f"{one.missed:,}" for one in present.values())])
    return rows


def _missed(shares: PartShares) -> str:
    missed = shares.sizes["all"].missed
    if not missed:
        return ""
    allowed = percent(shares.sizes["all"].missed_iou, 0)
    return (
        f"<p>Missed: {missed:,} of {shares.sizes['all'].objects:,} objects have no detection of their class; "
        f"{shares.taken_for_another:,} of them are taken for another class. The prototypes could make the "
        f"masks of the missed objects with an IoU of {allowed} on average.</p>"
    )


def _sample(shares: PartShares) -> str:
    if shares.num_images >= shares.total_images:
        return ""
    return (
        f"<p>Measured on {shares.num_images:,} of the {shares.total_images:,} images, evenly chosen; AP is "
        "that of these images.</p>"
    )


def _gain(one: SizeShares, part: str) -> float:
    return -1.0 if math.isnan(one.gains[part]) else one.gains[part]
