"""The report as one HTML file that needs nothing else: tables, and pictures of what was found."""

from collections import defaultdict
from collections.abc import Sequence
from html import escape

from yolact_pl.doctor.draft import Change
from yolact_pl.doctor.examination import Examination, Examined
from yolact_pl.doctor.findings import Finding, count_kinds
from yolact_pl.doctor.kinds import Kind
from yolact_pl.doctor.places import image_row, place_of
from yolact_pl.doctor.text_report import class_rows, summary_rows, verdict
from yolact_pl.doctor.thumbnails import as_data_uri, thumbnail

_MAX_ROWS = 200
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; color: #222 }
table { border-collapse: collapse; margin: .6rem 0 }
td, th { padding: .15rem .7rem; text-align: left; border-bottom: 1px solid #e4e4e8; vertical-align: top }
.numbers td + td, .numbers th + th { text-align: right; font-variant-numeric: tabular-nums }
h3 span { color: #fff; border-radius: .3rem; padding: 0 .45rem; font-weight: 500; font-size: .85em }
.error { background: #c0302c } .warning { background: #a66a00 } .info { background: #5b6472 }
.pictures { display: flex; flex-wrap: wrap; gap: .8rem; align-items: flex-end }
figure { margin: 0; max-width: 240px } figcaption { font-size: .8em; color: #555; overflow-wrap: anywhere }
"""


def page(
    examination: Examination,
    changes: Sequence[Change],
    left: Examination,
    *,
    examples: int,
    pictures: bool,
) -> str:
    """The HTML text.

    Args:
        examination: what to report.
        changes: that were made in corrected copies.
        left: what is still found in the copies.
        examples: pictures of each kind of finding, and of each set.
        pictures: whether image files may be opened.
    """
    title = "Data check: " + ", ".join(part.coco_set.path.name for part in examination.sets)
    count = examples if pictures else 0
    body = [
        f"<h1>{_text(title)}</h1>",
        *(f"<p>{part.coco_set.split}: {_text(part.coco_set.path)}</p>" for part in examination.sets),
        f"<p><b>{verdict(examination)}</b></p>",
        f"<p>In the corrected copies: <b>{verdict(left)}</b></p>" if changes else "",
        _table(summary_rows(examination), "numbers"),
        *(_samples(part, count) for part in examination.sets if count),
        "<h2>Findings</h2>" if examination.findings else "",
        *_findings(examination, count),
        _changes(changes) if changes else "",
        "<h2>Classes</h2>",
        _table(class_rows(examination), "numbers"),
    ]
    head = f'<meta charset="utf-8"><title>{_text(title)}</title><style>{_STYLE}</style>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _samples(part: Examined, examples: int) -> str:
    """Images from all over the set, to see with one's own eyes that masks and boxes are in their places."""
    count = len(part.coco_set.images)
    rows = sorted({round((k + 0.5) * count / examples - 0.5) for k in range(examples)}) if count else []
    figures = [_figure(part, row, None, str(place_of(part.coco_set, _of_image(row, part)))) for row in rows]
    return f'<h2>Images of {part.coco_set.split}</h2><div class="pictures">{"".join(figures)}</div>'


def _of_image(row: int, part: Examined) -> Finding:
    return Finding(Kind.IMAGE_EMPTY, part.coco_set.split, image=row)


def _findings(examination: Examination, examples: int) -> list[str]:
    by_kind: dict[Kind, list[Finding]] = defaultdict(list)
    for finding in examination.findings:
        by_kind[finding.kind].append(finding)
    sections = []
    for kind, counts in count_kinds(examination.findings).items():
        found = by_kind[kind]
        numbers = ", ".join(f"{count:,} in {split}" for split, count in counts.items() if count)
        badge = f'<span class="{kind.severity.value}">{kind.severity.value}</span>'
        sections.append(
            f"<h3>{badge} {kind.slug}: {numbers}</h3>"
            f"<p>{_text(kind.meaning.capitalize())}; {_text(kind.advice)}.</p>"
        )
        sections.append(_pictures_of(examination, found, examples))
        rows = [["json", "where", "what"]]
        for finding in found[:_MAX_ROWS]:
            coco_set = examination.of(finding)
            rows.append([coco_set.path.name, str(place_of(coco_set, finding)), finding.detail])
        sections.append(_table(rows, ""))
        if len(found) > _MAX_ROWS:
            sections.append(f"<p>... and {len(found) - _MAX_ROWS:,} more in findings.csv</p>")
    return sections


def _pictures_of(examination: Examination, found: list[Finding], examples: int) -> str:
    figures: list[str] = []
    for finding in found[: 4 * examples]:  # files that cannot be read have no picture
        part = next(part for part in examination.sets if part.coco_set.split == finding.split)
        row = image_row(part.coco_set, finding)
        if row is not None and len(figures) < examples:
            figure = _figure(part, row, finding.annotation, str(place_of(part.coco_set, finding)))
            figures += [figure] if figure else []
    return f'<div class="pictures">{"".join(figures)}</div>' if figures else ""


def _figure(part: Examined, image: int, annotation: int | None, caption: str) -> str:
    pixels = thumbnail(part, image, annotation)
    if pixels is None:
        return ""
    source = as_data_uri(pixels)
    return f'<figure><img src="{source}" alt=""><figcaption>{_text(caption)}</figcaption></figure>'


def _changes(changes: Sequence[Change]) -> str:
    rows = [["corrected copy", "entry", "change"]]
    rows += [[change.path.name, change.entry, change.what] for change in changes[:_MAX_ROWS]]
    more = (
        f"<p>... and {len(changes) - _MAX_ROWS:,} more in changes.csv</p>" if len(changes) > _MAX_ROWS else ""
    )
    return f"<h2>Changes</h2>{_table(rows, '')}{more}"


def _table(rows: list[list[str]], style: str) -> str:
    head = "".join(f"<th>{_text(cell)}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return f'<table class="{style}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _text(value: object) -> str:
    return escape(str(value).encode("utf-8", "backslashreplace").decode())
