"""Plots as inline SVG and HTML that take their colours from the page."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from yolact_pl.report.html import escape

STYLE = """
svg.plot { width: 100%; max-width: 420px; height: auto; font: 11px system-ui, sans-serif }
svg.plot text { fill: var(--faint) }
svg.plot .grid { stroke: var(--line) } svg.plot polyline { fill: none; stroke-width: 1.6 }
.legend { font-size: .8em; color: var(--faint); max-width: 420px }
.legend b { font-weight: 400; margin-right: .9em }
.legend i { display: inline-block; width: .7em; height: .7em; border-radius: .15em; margin-right: .3em }
.plots { display: flex; flex-wrap: wrap; gap: 1.2rem } .plots > div { flex: 1 1 300px; max-width: 420px }
.bars td:first-child { max-width: 30rem } .bars small { color: var(--faint) }
.bar { width: 30%; min-width: 90px } .bar span { display: block; height: .8em; margin-top: .35em;
  border-radius: .15em; background: var(--one) }
@media (max-width: 600px) { .bar, .bars th:nth-child(2) { display: none } }
"""
COLOURS = ("var(--one)", "var(--two)", "var(--three)", "var(--four)", "var(--five)", "var(--faint)")
_WIDTH, _HEIGHT = 420, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 8, 34


class Line(NamedTuple):
    """A named curve; nan interrupts nothing, such points are left out."""

    name: str
    x: ArrayLike
    y: ArrayLike


class Bar(NamedTuple):
    """A row of `bar_table`."""

    label: str
    note: str
    """Below the label; plain text."""
    value: float
    cells: Sequence[str]
    """HTML, after the bar."""


def line_plot(
    title: str,
    lines: Sequence[Line],
    *,
    x_label: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
) -> str:
    """Curves over one x axis; ranges that are not given are those of the values. Empty without any point."""
    points = [_points(line) for line in lines]
    together = np.concatenate([np.zeros((0, 2)), *points])
    if len(together) == 0:
        return ""
    x_range, y_range = x_range or _range(together[:, 0]), y_range or _range(together[:, 1])
    frame = _frame(x_range, y_range, x_label)
    curves = []
    for number, line in enumerate(points):
        x, y = _place(line[:, 0], line[:, 1], x_range, y_range)
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        curves.append(f'<polyline points="{path}" style="stroke: {COLOURS[number % len(COLOURS)]}"/>')
    return _figure(title, frame + "".join(curves), [line.name for line in lines])


def histogram(
    title: str,
    names: Sequence[str],
    counts: Sequence[ArrayLike],
    *,
    x_range: tuple[float, float],
    x_label: str,
    ticks: Sequence[tuple[float, str]] | None = None,
    root: bool = False,
) -> str:
    """Bars of several sets beside each other, over bins of one width.

    Args:
        title: plain text.
        names: of the sets.
        counts: for each set, of each bin.
        x_range: start of the first bin and end of the last one.
        x_label: plain text.
        ticks: positions and texts on the x axis; None: round numbers.
        root: heights are square roots, so that few are seen beside many.
    """
    columns = [np.asarray(one, np.float64) for one in counts]
    columns = [np.sqrt(one) for one in columns] if root else columns
    top = max((one.max(initial=0) for one in columns), default=0) or 1
    y_range = (0.0, float(top))
    bins = max(len(one) for one in columns)
    width = (_WIDTH - _LEFT - _RIGHT) / bins
    bars = []
    for number, column in enumerate(columns):
        colour = COLOURS[number % len(COLOURS)]
        for place, count in enumerate(column.tolist()):
            height = count / top * (_HEIGHT - _TOP - _BOTTOM)
            if height > 0:
                x = _LEFT + width * (place + 0.08 + 0.84 * number / len(columns))
                bars.append(
                    f'<rect x="{x:.1f}" y="{_HEIGHT - _BOTTOM - height:.1f}" '
                    f'width="{0.84 * width / len(columns):.1f}" height="{height:.1f}" '
                    f'style="fill: {colour}"/>'
                )
    return _figure(title, _frame(x_range, y_range, x_label, ticks, root=root) + "".join(bars), names)


def bar_table(header: Sequence[str], bars: Sequence[Bar]) -> str:
    """Rows with a label, a horizontal bar and further cells; the header has no entry for the bar."""
    longest = max((bar.value for bar in bars if bar.value > 0), default=1)
    head = "".join(f"<th>{escape(cell)}</th>" for cell in [header[0], "", *header[1:]])
    rows = []
    for bar in bars:
        share = 100 * max(bar.value, 0) / longest if bar.value == bar.value else 0
        cells = "".join(f"<td>{cell}</td>" for cell in bar.cells)
        rows.append(
            f"<tr><td>{escape(bar.label)}<br><small>{escape(bar.note)}</small></td>"
            f'<td class="bar"><span style="width: {share:.1f}%"></span></td>{cells}</tr>'
        )
    body = "".join(rows)
    return (
        f'<div class="scroll"><table class="bars"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def plots(parts: Sequence[str]) -> str:
    """Plots side by side; empty ones are left out."""
    shown = [f"<div>{part}</div>" for part in parts if part]
    return f'<div class="plots">{"".join(shown)}</div>' if shown else ""


def _figure(title: str, content: str, names: Sequence[str]) -> str:
    legend = "".join(
        f'<b><i style="background: {COLOURS[number % len(COLOURS)]}"></i>{escape(name)}</b>'
        for number, name in enumerate(names)
    )
    legend = f'<div class="legend">{legend}</div>' if len(names) > 1 else ""
    return (
        f'<h4>{escape(title)}</h4><svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
        f"<title>{escape(title)}</title>{content}</svg>{legend}"
    )


def _frame(
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    x_label: str,
    ticks: Sequence[tuple[float, str]] | None = None,
    *,
    root: bool = False,
) -> str:
    parts = []
    for y in _ticks(y_range):
        _, (place,) = _place(np.zeros(1), np.array([y]), x_range, y_range)
        shown = _number(y * y if root else y)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{place:.1f}" y2="{place:.1f}"/>'
            f'<text x="{_LEFT - 5}" y="{place + 4:.1f}" text-anchor="end">{shown}</text>'
        )
    for x, text in ticks or [(x, _number(x)) for x in _ticks(x_range)]:
        (place,), _ = _place(np.array([x]), np.zeros(1), x_range, y_range)
        parts.append(
            f'<text x="{place:.1f}" y="{_HEIGHT - _BOTTOM + 14}" text-anchor="middle">{escape(text)}</text>'
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(x_label)}</text>')
    return "".join(parts)


def _place(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    across = (x - x_range[0]) / ((x_range[1] - x_range[0]) or 1)
    up = (y - y_range[0]) / ((y_range[1] - y_range[0]) or 1)
    up = np.clip(up, 0, 1)
    return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)


def _points(line: Line) -> NDArray[np.float64]:
    points = np.stack((np.asarray(line.x, np.float64), np.asarray(line.y, np.float64)), axis=1)
    return points[np.isfinite(points).all(axis=1)]


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5 * abs(low or 1), high + 0.5 * abs(high or 1))


def _ticks(span: tuple[float, float]) -> list[float]:
    """Up to six round numbers in a range."""
    low, high = span
    raw = (high - low) / 5 or 1
    power = 10 ** np.floor(np.log10(raw))
    step = float(next(power * k for k in (1, 2, 5, 10) if power * k >= raw * 0.999))
    first = int(np.ceil(low / step - 1e-9))
    return [k * step for k in range(first, int(np.floor(high / step + 1e-9)) + 1)]


def _number(value: float) -> str:
    if abs(value) >= 10000:
        return f"{value / 1000:,.0f}k"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.0e}"
