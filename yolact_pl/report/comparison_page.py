"""Page of a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

from yolact_pl.evaluation.parts.shares import PARTS
from yolact_pl.report import plots
from yolact_pl.report.evaluation_page import SORT_SCRIPT, STYLE
from yolact_pl.report.html import document, escape, table, text_table
from yolact_pl.report.plots import Line, line_plot
from yolact_pl.report.reading import Report
from yolact_pl.report.sections.changed_images import changed_images
from yolact_pl.report.sections.numbers import percent

_STYLE = """
.surely { font-weight: 600 } .better { color: var(--three) } .worse { color: var(--two) }
figure.third { max-width: min(100%, 340px) }
"""
_LOWER_IS_BETTER = ("errors", "calibration error", "milliseconds")
_NOT_COMPARED = ("checkpoint_sha256", "machine")


def comparison_page(comparison: Mapping[str, Any], reports: Sequence[Report]) -> str:
    """The HTML text: numbers side by side, differences from the first run, the images that changed most.

    Args:
        comparison: see `comparison.compare`.
        reports: that were compared.
    """
    runs = comparison["runs"]
    letters = [_letter(number) for number in range(len(runs))]
    legend = "".join(
        f"<li><b>{letter}</b> {escape(run['name'])}</li>" for letter, run in zip(letters, runs, strict=True)
    )
    body = [
        "<h1>Comparison</h1>",
        f'<ul style="list-style: none; padding: 0">{legend}</ul>',
        "<h2>Numbers</h2>",
        f"<p>AP in percent, errors in AP points at IoU 0.5. [ ]: {round(100 * comparison['level'])} % "
        f"interval of {comparison['resamples']:,} draws of the images; bold: zero lies outside of it. The "
        "intervals speak for the images; another seed of the training moves AP too.</p>",
        table(_numbers(runs, letters), "numbers"),
        _without_differences(runs),
        _parts(reports, letters),
        _curves(reports, letters),
        "<h2>Classes</h2>",
        table(_classes(comparison["classes"], letters), "numbers sortable"),
        "<h2>What is different</h2>",
        text_table(_measured(reports, letters)),
        *_changed(runs, reports, letters),
    ]
    names = ", ".join(run["name"] for run in runs)
    style = plots.STYLE + STYLE + _STYLE
    return document(f"Comparison: {names}", body, style=style, script=SORT_SCRIPT)


def _numbers(runs: Sequence[Mapping[str, Any]], letters: Sequence[str]) -> list[list[str]]:
    rows = [["", *letters, *(f"{letter} - A" for letter in letters[1:])]]
    for name in dict.fromkeys(name for run in runs for name in run["numbers"]):
        scale = 100 if name.startswith(("mask", "box", "boundary")) else 1
        values = [run["numbers"].get(name) for run in runs]
        shown = ["-" if value is None else f"{scale * value:.2f}" for value in values]
        lower = any(word in name for word in _LOWER_IS_BETTER)
        changes = [(run["differences"] or {}).get(name) for run in runs[1:]]
        rows.append([escape(name), *shown, *(_change(one, scale, lower=lower) for one in changes)])
    return rows


def _change(found: Mapping[str, float | None] | None, scale: int, *, lower: bool) -> str:
    value = None if found is None else found["value"]
    if found is None or value is None:
        return "-"
    low, high = found.get("low"), found.get("high")
    text, style = f"{scale * value:+.2f}", ""
    if low is not None and high is not None:
        text += f" [{scale * low:+.2f}, {scale * high:+.2f}]"
        style = "surely " if low > 0 or high < 0 else ""
    if value:
        style += "better" if (value < 0) == lower else "worse"
    return f'<span class="{style}">{text}</span>'


def _without_differences(runs: Sequence[Mapping[str, Any]]) -> str:
    others = [run["name"] for run in runs[1:] if run["differences"] is None]
    if not others:
        return ""
    return f"<p>Not on the same images as A, so without differences: {escape(', '.join(others))}.</p>"


def _parts(reports: Sequence[Report], letters: Sequence[str]) -> str:
    """What each part of the network costs, of the runs where it is known."""
    found = [(report.numbers.get("parts") or {}).get("sizes", {}).get("all", {}) for report in reports]
    if not any(found):
        return ""
    rows = [["mask AP that it costs", *letters]]
    rows += [[part, *(percent(one.get("gains", {}).get(part)) for one in found)] for part in PARTS]
    return f"<h2>Which part failed</h2>{text_table(rows, 'numbers')}"


def _curves(reports: Sequence[Report], letters: Sequence[str]) -> str:
    shown = []
    for place, threshold in enumerate((0.5, 0.75)):
        lines = [
            Line(letter, one.numbers["curves"]["recalls"], _numbers_of(one.numbers["curves"]["mask"][place]))
            for letter, one in zip(letters, reports, strict=True)
        ]
        title = f"Precision of masks at IoU {threshold:g}"
        span = (0.0, 1.0)
        shown.append(line_plot(title, lines, x_label="recall", x_range=span, y_range=span))
    return f"<h2>Curves</h2>{plots.plots(shown)}"


def _numbers_of(curve: Mapping[str, Any]) -> list[float]:
    return [float("nan") if value is None else value for value in curve["overall"]]


def _classes(classes: Sequence[Mapping[str, Any]], letters: Sequence[str]) -> list[list[str]]:
    rows = [["mask AP of the class", *letters, *(f"{letter} - A" for letter in letters[1:])]]
    for one in classes:
        first, *others = one["mask_ap"]
        changes = [None if None in (first, ap) else {"value": ap - first} for ap in others]
        shown = [*map(percent, one["mask_ap"]), *(_change(change, 100, lower=False) for change in changes)]
        rows.append([escape(one["name"]), *shown])
    return rows


def _measured(reports: Sequence[Report], letters: Sequence[str]) -> list[list[str]]:
    """What was measured or how, where the runs differ."""
    rows = [["", *letters]]
    for key in dict.fromkeys(key for report in reports for key in report.measured):
        values = [str(report.measured.get(key, "-")) for report in reports]
        if len(set(values)) > 1 and key not in _NOT_COMPARED:
            rows.append([key.replace("_", " "), *values])
    return rows


def _changed(
    runs: Sequence[Mapping[str, Any]], reports: Sequence[Report], letters: Sequence[str]
) -> list[str]:
    parts = []
    for run, report, letter in zip(runs[1:], reports[1:], letters[1:], strict=True):
        if run["changed_images"]:
            shown = changed_images(reports[0], report, run["changed_images"])
            parts.append(f"<h2>Images that changed most from A to {letter}</h2>{shown}")
    return parts


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else str(number)
