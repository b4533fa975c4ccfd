"""Report as one HTML file."""

from collections.abc import Collection, Sequence

from yolact_pl.doctor.examination import Examination, Examined
from yolact_pl.doctor.fixing.draft import Change
from yolact_pl.doctor.kinds import Kind
from yolact_pl.doctor.report.page_findings import MAX_ROWS, overview, sections
from yolact_pl.doctor.report.places import place_of_image
from yolact_pl.doctor.report.text_report import class_rows, summary_rows, verdict
from yolact_pl.doctor.report.thumbnails import figure
from yolact_pl.report.html import document, escape, figures, text_table

_KEY = "<p>In the pictures the mask is green, the box orange, other objects white, what is outside grey.</p>"


def page(
    examination: Examination,
    corrected: Collection[Kind],
    changes: Sequence[Change],
    left: Examination,
    *,
    examples: int,
    pictures: bool,
) -> str:
    """The HTML text.

    Args:
        examination: what to report.
        corrected: the kinds of findings that fix=true does something about.
        changes: that were made in corrected copies.
        left: what is still found in the copies.
        examples: pictures of each kind of finding, and of each set.
        pictures: whether image files may be opened.
    """
    count = examples if pictures else 0
    body = [
        "<h1>Data check</h1>",
        *(_source(part) for part in examination.sets),
        f"<p><b>{verdict(examination)}</b></p>",
        overview(examination, corrected),
        _corrected(changes, left),
        "<h2>Numbers</h2>",
        text_table(summary_rows(examination), "numbers"),
        *(_samples(part, count) for part in examination.sets if count),
        f"<h2>Findings</h2>{_KEY if count else ''}" if examination.findings else "",
        *sections(examination, corrected, count),
        "<h2>Classes</h2>",
        text_table(class_rows(examination), "numbers"),
    ]
    names = ", ".join(part.coco_set.path.name for part in examination.sets)
    return document(f"Data check: {names}", body)


def _source(part: Examined) -> str:
    folder = part.coco_set.folder
    images = "" if folder is None else f", images in {folder}"
    return f"<p>{part.coco_set.split}: {escape(part.coco_set.path)}{escape(images)}</p>"


def _samples(part: Examined, examples: int) -> str:
    """Images from all over the set, to see with one's own eyes that masks and boxes are in their places."""
    count = len(part.coco_set.images)
    rows = sorted({round((k + 0.5) * count / examples - 0.5) for k in range(examples)}) if count else []
    shown = [figure(part, row, None, str(place_of_image(part.coco_set, row))) for row in rows]
    return (
        f"<h2>Images of {part.coco_set.split}</h2><p>From all over the set; masks green, boxes orange.</p>"
        + figures(shown)
    )


def _corrected(changes: Sequence[Change], left: Examination) -> str:
    if not changes:
        return ""
    rows = [["copy", "entry", "change"]]
    rows += [[change.path.name, change.entry, change.what] for change in changes[:MAX_ROWS]]
    more = (
        f"<p>... and {len(changes) - MAX_ROWS:,} more in changes.csv</p>" if len(changes) > MAX_ROWS else ""
    )
    paths = ", ".join(dict.fromkeys(str(change.path) for change in changes))
    return (
        f"<h2>Corrected copies</h2><p>{escape(paths)}</p><p>In them: <b>{verdict(left)}</b></p>"
        f"{overview(left)}"
        f"<details><summary>{len(changes):,} changes</summary>{text_table(rows, 'places')}{more}</details>"
    )
