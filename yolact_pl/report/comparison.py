"""Numbers of several evaluations side by side, and which differences are more than chance."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolact_pl.evaluation.analysis.bootstrap import bootstrap, interval
from yolact_pl.report.numbers import KINDS
from yolact_pl.report.reading import Report
from yolact_pl.text_table import text_table

FORMAT_VERSION = 1
RESAMPLES = 1000
MOST_CHANGED = 20
AT = {"AP": slice(None), "AP50": slice(0, 1), "AP75": slice(5, 6)}
"""Which of `IOU_THRESHOLDS` are averaged."""
_AP_KEYS = {"AP": "all", "AP50": "50", "AP75": "75", "AP S": "S", "AP M": "M", "AP L": "L", "AR": "AR"}


def compare(
    reports: Sequence[Report],
    *,
    resamples: int = RESAMPLES,
    on_resample: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """All numbers of each run, and the differences of the later ones from the first.

    Runs on the same images differ by AP with a 95 % interval: images are drawn with repetition, the same for
    all runs, and AP is counted again. Of other runs the numbers stand side by side only.

    Args:
        reports: two or more.
        resamples: how often images are drawn.
        on_resample: called after each.
    """
    first = reports[0]
    comparable = [one for one in reports if same_images(first, one)]
    aps = {
        kind: bootstrap(
            [one.rankings[kind] for one in comparable],
            len(first.numbers["images"]["ids"]),
            resamples=resamples,
            on_resample=on_resample,
        )
        for kind in KINDS
    }
    runs = []
    for report in reports:
        row: dict[str, Any] = {
            "name": report.name,
            "report": str(report.path),
            "measured": dict(report.measured),
            "numbers": main_numbers(report),
            "intervals": None,
            "differences": None,
            "changed_images": None,
        }
        if report in comparable:
            place = comparable.index(report)
            row["intervals"] = _intervals({kind: table[:, place] for kind, table in aps.items()})
            if report is not first:
                resampled = {kind: table[:, place] - table[:, 0] for kind, table in aps.items()}
                row["differences"] = _differences(first, report, _intervals(resampled))
                row["changed_images"] = changed_images(first, report)
        runs.append(row)
    return {
        "format_version": FORMAT_VERSION,
        "resamples": resamples,
        "level": 0.95,
        "runs": runs,
        "classes": _classes(reports),
    }


def same_images(one: Report, other: Report) -> bool:
    """Whether two runs were measured on the same images, objects and classes."""
    same_data = one.measured.get("data_sha256") == other.measured.get("data_sha256")
    same_set = one.numbers["images"]["ids"] == other.numbers["images"]["ids"]
    return same_data and same_set and one.class_names == other.class_names


def main_numbers(report: Report) -> dict[str, float | None]:
    """AP in 0..1 by "mask AP", "box AP50", ...; what errors cost in AP points; calibration and time."""
    numbers: dict[str, float | None] = {}
    for kind in ("mask", "box", "boundary"):
        for name, key in _AP_KEYS.items():
            if kind in report.numbers["ap"]:
                numbers[f"{kind} {name}"] = report.numbers["ap"][kind][key]
    costs = report.numbers["errors"]["mask"]["costs"]
    for cost in sorted(costs, key=lambda cost: cost["name"]):
        numbers[f"{cost['name']} errors"] = cost["gain"]
    numbers["calibration error"] = report.numbers["scores"]["mask"]["calibration_error"]
    numbers["milliseconds per image"] = report.measured.get("milliseconds_per_image")
    return numbers


def changed_images(first: Report, other: Report, *, limit: int = MOST_CHANGED) -> list[dict[str, Any]]:
    """The images whose mask AP by itself changed most, the largest change first."""
    images = first.numbers["images"]
    pairs = zip(images["mask_ap"], other.numbers["images"]["mask_ap"], strict=True)
    changes = np.array([0.0 if None in pair else pair[1] - pair[0] for pair in pairs])
    order = np.argsort(-np.abs(changes), kind="stable")[:limit]
    return [
        {
            "id": images["ids"][i],
            "file": images["files"][i],
            "mask_ap": [images["mask_ap"][i], other.numbers["images"]["mask_ap"][i]],
            "change": round(float(changes[i]), 4),
        }
        for i in order.tolist()
        if changes[i]
    ]


def comparison_text(comparison: Mapping[str, Any]) -> str:
    """The runs as columns of a table, and differences from the first with their intervals.

    AP in percent, errors in AP points at IoU 0.5. A star marks a difference whose interval leaves out zero.
    """
    runs = comparison["runs"]
    letters = [chr(ord("A") + n) if n < 26 else str(n) for n in range(len(runs))]
    rows = [["", *letters, *(f"{letter} - A" for letter in letters[1:])]]
    names = list(dict.fromkeys(name for run in runs for name in run["numbers"]))
    for name in names:
        values = [run["numbers"].get(name) for run in runs]
        shown = [_value(name, value) for value in values]
        rows.append([name, *shown, *(_difference(name, run["differences"]) for run in runs[1:])])
    legend = [f"{letter}  {run['name']}" for letter, run in zip(letters, runs, strict=True)]
    others = [run["name"] for run in runs[1:] if run["differences"] is None]
    note = f"\nnot on the same images as A, so without differences: {', '.join(others)}\n" if others else ""
    level, draws = round(100 * comparison["level"]), comparison["resamples"]
    return (
        "\n".join(legend)
        + f"\n\n{text_table(rows)}\n[{level} % interval of {draws:,} draws of the images]; * beyond chance\n"
        + note
        + _changed_text(runs)
    )


def _intervals(aps: Mapping[str, NDArray[np.float64]]) -> dict[str, list[float | None]]:
    """By "mask AP", ...: low and high, 0..1."""
    return {
        f"{kind} {name}": [_rounded(value) for value in interval(table[:, at].mean(axis=1))]
        for kind, table in aps.items()
        for name, at in AT.items()
    }


def _differences(
    first: Report, other: Report, intervals: Mapping[str, list[float | None]]
) -> dict[str, dict[str, float | None]]:
    """By name, with `low` and `high` where images were drawn for it."""
    before, after = main_numbers(first), main_numbers(other)
    found: dict[str, dict[str, float | None]] = {}
    for name, value in after.items():
        old = before.get(name)
        if value is None or old is None:
            continue
        found[name] = {"value": _rounded(value - old)}
        if name in intervals:
            found[name] |= dict(zip(("low", "high"), intervals[name], strict=True))
    return found


def _classes(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Mask AP of each class of any run, None where a run does not have it."""
    tables = [{row["name"]: row for row in report.numbers["classes"]} for report in reports]
    names = dict.fromkeys(name for table in tables for name in table)
    return [
        {"name": name, "mask_ap": [table[name]["mask_ap"] if name in table else None for table in tables]}
        for name in names
    ]


def _changed_text(runs: Sequence[Mapping[str, Any]]) -> str:
    parts = []
    for run in runs[1:]:
        if run["changed_images"]:
            rows = [["mask AP of the image", "A", "then"]]
            rows += [
                [str(image["file"]), *(f"{100 * ap:.1f}" for ap in image["mask_ap"])]
                for image in run["changed_images"][:10]
            ]
            parts.append(f"\nchanged most in {run['name']}\n{text_table(rows)}")
    return "".join(parts)


def _is_share(name: str) -> bool:
    return name.startswith(("mask", "box", "boundary"))


def _value(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.2f}" if _is_share(name) else f"{value:.2f}"


def _difference(name: str, differences: Mapping[str, Mapping[str, float | None]] | None) -> str:
    found = (differences or {}).get(name)
    if found is None:
        return "-"
    scale = 100 if _is_share(name) else 1
    value, low, high = (found.get(key) for key in ("value", "low", "high"))
    assert value is not None
    text = f"{scale * value:+.2f}"
    if low is None or high is None:
        return text
    star = " *" if low > 0 or high < 0 else ""
    return f"{text} [{scale * low:+.2f}, {scale * high:+.2f}]{star}"


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
