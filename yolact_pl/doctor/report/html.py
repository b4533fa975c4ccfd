"""Building blocks of a self-contained HTML page."""

from collections.abc import Iterable, Sequence
from html import escape as _escape

from yolact_pl.doctor.examination import Examined
from yolact_pl.doctor.findings import writable
from yolact_pl.doctor.kinds import Severity
from yolact_pl.doctor.report.thumbnails import as_data_uri, thumbnail

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #222 }
h2 { margin-top: 2.2rem } h3 { margin: 1.8rem 0 .3rem } p { margin: .4rem 0 }
table { border-collapse: collapse; margin: .6rem 0 }
td, th { padding: .15rem .7rem; text-align: left; border-bottom: 1px solid #e4e4e8; vertical-align: top }
.places td:last-child { overflow-wrap: anywhere }
.numbers td + td, .numbers th + th { text-align: right; font-variant-numeric: tabular-nums }
.badge { color: #fff; border-radius: .3rem; padding: 0 .45rem; font-weight: 500; font-size: .85em }
.badge, .numbers th { white-space: nowrap }
.error { background: #c0302c } .warning { background: #a66a00 } .note { background: #5b6472 }
.figures { display: flex; flex-wrap: wrap; gap: .8rem; align-items: flex-end; margin: .6rem 0 }
figure { margin: 0; max-width: 240px } figcaption { font-size: .8em; color: #555; overflow-wrap: anywhere }
summary { cursor: pointer }
"""


def document(title: str, body: Iterable[str]) -> str:
    """A whole page."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    text = "\n".join(body)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{text}\n</body></html>\n'


def escape(value: object) -> str:
    """Text that stands for itself in HTML, and can be written to any file."""
    return _escape(writable(value))


def badge(severity: Severity) -> str:
    """The word for a severity on its colour."""
    return f'<span class="badge {severity.word}">{severity.word}</span>'


def table(rows: Sequence[Sequence[str]], style: str = "") -> str:
    """Rows of HTML; the first one is the header."""
    head = "".join(f"<th>{cell}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return f'<table class="{style}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def text_table(rows: Sequence[Sequence[object]], style: str = "") -> str:
    """Rows of plain text; the first one is the header."""
    return table([[escape(cell) for cell in row] for row in rows], style)


def figure(part: Examined, image: int, annotation: int | None, caption: str) -> str:
    """An image, or one of its annotations, with a caption of plain text; empty if the file cannot be read."""
    pixels = thumbnail(part, image, annotation)
    if pixels is None:
        return ""
    source = as_data_uri(pixels)
    return f'<figure><img src="{source}" alt=""><figcaption>{escape(caption)}</figcaption></figure>'


def figures(parts: Sequence[str]) -> str:
    """Figures side by side."""
    return f'<div class="figures">{"".join(parts)}</div>' if parts else ""
