"""Page of an evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yolact_pl.evaluation.analysis.thresholds import best_thresholds
from yolact_pl.evaluation.analysis.tide import Errors, count_errors
from yolact_pl.evaluation.confusion_matrix import SCORE_THRESHOLD, confusion_matrix
from yolact_pl.evaluation.matching.set_matches import Kind, SetMatches
from yolact_pl.evaluation.metrics import AveragePrecision
from yolact_pl.evaluation.parts.shares import PartShares
from yolact_pl.report import plots
from yolact_pl.report.html import document, escape
from yolact_pl.report.sections import confusion as confusion_section
from yolact_pl.report.sections.advice import advice
from yolact_pl.report.sections.confusion import confusion
from yolact_pl.report.sections.curves import curves, scores
from yolact_pl.report.sections.data import SetData, data
from yolact_pl.report.sections.errors import errors
from yolact_pl.report.sections.numbers import ap_table, class_table, measured_table
from yolact_pl.report.sections.parts import failed_parts
from yolact_pl.report.sections.pictures import ImageSource, pictures, predictions_only
from yolact_pl.report.sections.remedies import Setting
from yolact_pl.report.sections.thresholds import thresholds
from yolact_pl.report.sections.training_run import Curves, training_run

STYLE = """
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .8rem 0 } h4 { margin: 1rem 0 .2rem }
.sortable th { cursor: pointer } ol li { margin: .35rem 0 } .bars td { padding-right: .5rem }
@media (max-width: 600px) { body { margin: 1rem auto; padding: 0 .7rem } td, th { padding: .15rem .4rem } }
"""
SORT_SCRIPT = """
for (const head of document.querySelectorAll('.sortable th')) head.onclick = () => {
  const body = head.closest('table').tBodies[0], k = head.cellIndex;
  const value = row => row.cells[k].textContent.replaceAll(',', '');
  const up = head.dataset.up = head.dataset.up === '1' ? '0' : '1';
  const rows = [...body.rows].sort((a, b) => {
    const x = value(a), y = value(b), sign = up === '1' ? -1 : 1;
    return sign * (isNaN(x - y) ? x.localeCompare(y, undefined, {numeric: true}) : x - y);
  });
  body.append(...rows);
};
"""


@dataclass(frozen=True)
class Evaluation:
    """All that the page shows."""

    measured: Mapping[str, Any]
    """What was measured and how."""
    matches: SetMatches
    source: ImageSource
    setting: Setting
    precision: Mapping[str, AveragePrecision]
    """By "box", "mask" and perhaps "boundary"; empty without ground truth."""
    shares: PartShares | None
    """Of the network's parts."""
    why_no_shares: str = ""
    """Where they are not known."""
    sets: Mapping[str, SetData] = field(default_factory=dict)
    """By "train" and "val"."""
    curves: Curves = field(default_factory=dict)
    """That the training run logged."""
    changes: Sequence[str] = ()
    """Of the run's config, `key: old -> new`."""


def evaluation_page(evaluation: Evaluation) -> str:
    """The HTML text: one file without requests, readable without JavaScript."""
    title = f"Evaluation of {Path(evaluation.measured.get('checkpoint', 'a network')).name}"
    kinds: tuple[Kind, ...] = ("mask", "box") if evaluation.precision else ()
    found = {str(kind): count_errors(evaluation.matches, kind) for kind in kinds}
    sections = _with_truth(evaluation, found) if found else _without_truth(evaluation)
    sections = {name: html for name, html in sections.items() if html}
    links = "".join(f'<a href="#{_anchor(name)}">{name}</a>' for name in sections)
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<nav>{links}</nav>",
        advice(evaluation.shares, found.get("mask"), evaluation.setting),
        *(f'<h2 id="{_anchor(name)}">{name}</h2>{html}' for name, html in sections.items()),
    ]
    style = plots.STYLE + confusion_section.STYLE + STYLE
    return document(title, body, style=style, script=SORT_SCRIPT)


def _with_truth(evaluation: Evaluation, found: Mapping[str, Errors]) -> dict[str, str]:
    matches, names = evaluation.matches, evaluation.matches.class_names
    shares = evaluation.shares
    return {
        "Numbers": ap_table(evaluation.precision)
        + class_table(names, matches.num_truths.tolist(), evaluation.precision)
        + "<h4>What was measured</h4>"
        + measured_table(evaluation.measured),
        "Which part failed": f"<p>{escape(evaluation.why_no_shares)}</p>"
        if shares is None
        else failed_parts(shares, evaluation.setting, found["mask"]),
        "Errors": errors(found),
        "Curves": curves(matches),
        "Confusion": confusion(
            confusion_matrix(matches), names, score_threshold=SCORE_THRESHOLD, iou_threshold=0.5
        ),
        "Thresholds": thresholds(best_thresholds(matches)),
        "Pictures": pictures(matches, evaluation.source),
        "Data": data(evaluation.sets, names) if evaluation.sets else "",
        "Run": training_run(evaluation.curves, evaluation.changes),
    }


def _without_truth(evaluation: Evaluation) -> dict[str, str]:
    return {
        "What was measured": "<p>The annotation file has no annotations to measure against.</p>"
        + measured_table(evaluation.measured),
        "Scores": plots.plots(scores(evaluation.matches)[:1]),
        "Pictures": predictions_only(evaluation.source),
        "Run": training_run(evaluation.curves, evaluation.changes),
    }


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")
