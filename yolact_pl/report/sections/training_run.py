"""The run that made the checkpoint: losses, learning rate, AP over time, what it changed."""

import csv
import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yolact_pl.report.html import escape
from yolact_pl.report.plots import Line, line_plot, plots

MOST_POINTS = 400
Curves = dict[str, list[tuple[float, float]]]
"""Steps and values by the name they were logged under."""


def training_run(curves: Curves, changes: Sequence[str]) -> str:
    """Plots of what was logged, and the changes of the config as `key: old -> new`."""
    losses = {name: points for name, points in curves.items() if name.startswith("loss/")}
    losses = dict(sorted(losses.items(), key=lambda item: item[0] != "loss/total"))
    ap = {name: curves[name] for name in ("val/mask_AP", "val/box_AP", "val/mask_AP50") if name in curves}
    rates = {name: points for name, points in curves.items() if name.startswith("lr-")}
    shown = plots(
        [
            line_plot("Losses", _lines(losses, "loss/"), x_label="step", y_range=_low_to_high(losses)),
            line_plot("AP on the validation set", _lines(ap, "val/"), x_label="step"),
            line_plot("Learning rate", _lines(rates, "lr-"), x_label="step"),
        ]
    )
    items = "".join(f"<li><code>{escape(line)}</code></li>" for line in changes)
    listed = f"<h4>What differs from its experiment</h4><ul>{items}</ul>" if items else ""
    return (shown or "<p>The run's folder has no csv and no TensorBoard events.</p>") + listed


def read_curves(folder: Path) -> Curves:
    """What a run logged into its folder by `logger=csv` or `logger=tensorboard`."""
    curves: Curves = defaultdict(list)
    files = sorted(folder.glob("csv/version_*/metrics.csv"), key=lambda path: path.stat().st_mtime)
    for file in files:
        with file.open(newline="") as lines:
            for row in csv.DictReader(lines):
                for name, value in row.items():
                    if name and value and name not in ("step", "epoch") and row.get("step"):
                        curves[name].append((float(row["step"]), float(value)))
    events = folder / "tensorboard"
    if not files and events.is_dir():
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        logging.getLogger("tensorboard").setLevel(logging.WARNING)  # it tells when it comes to a file's end
        found = EventAccumulator(str(events), size_guidance={"scalars": 0})
        found.Reload()
        for name in found.Tags()["scalars"]:
            curves[name] = [(float(event.step), float(event.value)) for event in found.Scalars(name)]
    return dict(curves)


def _lines(curves: Curves, prefix: str) -> list[Line]:
    lines = []
    for name, points in curves.items():
        steps, values = np.array(sorted(points)).T
        every = -(-len(steps) // MOST_POINTS)
        lines.append(Line(name.removeprefix(prefix), steps[::every], values[::every]))
    return lines


def _low_to_high(losses: Curves) -> tuple[float, float] | None:
    """From 0 to where the total is after the first steps, which may be far above the rest."""
    values = [value for _, value in losses.get("loss/total", [])]
    values = [value for value in values if np.isfinite(value)]
    return (0.0, float(np.quantile(values, 0.97)) or 1.0) if values else None
