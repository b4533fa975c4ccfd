"""Building blocks of a self-contained HTML page."""

from collections.abc import Iterable, Sequence
from html import escape as _escape

import numpy as np
from numpy.typing import NDArray

from yolact_pl.report.pictures import as_data_uri

_STYLE = """
:root { color-scheme: light dark; --ink: #222; --faint: #555; --line: #e4e4e8; --ground: #fff;
  --one: #1f77b4; --two: #d1495b; --three: #2a9d5c; --four: #a66a00; --five: #7b5ea7; --bar: 31 119 180 }
@media (prefers-color-scheme: dark) { :root { --ink: #dcdce0; --faint: #a3a3ab; --line: #3a3a42;
  --ground: #17171a; --one: #5aa9e6; --two: #f07a8a; --three: #5fce91; --four: #e0a84a;
  --five: #b79ced; --bar: 90 169 230 } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: var(--ink); background: var(--ground) }
h2 { margin-top: 2.2rem } h3 { margin: 1.8rem 0 .3rem } p { margin: .4rem 0 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; margin: .6rem 0 }
td, th { padding: .15rem .7rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top }
.places td:last-child { overflow-wrap: anywhere }
.numbers td + td, .numbers th + th { text-align: right; font-variant-numeric: tabular-nums }
.badge { color: #fff; border-radius: .3rem; padding: 0 .45rem; font-weight: 500; font-size: .85em }
.badge, .numbers th { white-space: nowrap }
.error { background: #c0302c } .warning { background: #a66a00 } .note { background: #5b6472 }
.figures { display: flex; flex-wrap: wrap; gap: .8rem; align-items: flex-end; margin: .6rem 0 }
figure { margin: 0; max-width: 240px }
figcaption { font-size: .8em; color: var(--faint); overflow-wrap: anywhere }
figure.wide { max-width: min(100%, 520px) } figure img { max-width: 100% }
summary { cursor: pointer }
"""


def document(title: str, body: Iterable[str], *, style: str = "", script: str = "") -> str:
    """A whole page.

    Args:
        title: plain text.
        body: HTML.
        style: more rules of CSS.
        script: JavaScript; the page has to be readable without it.
    """
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{style}</style>"
    )
    text = "\n".join(body)
    script = f"<script>{script}</script>" if script else ""
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{text}\n{script}</body></html>\n'


def escape(value: object) -> str:
    """Text that stands for itself in HTML, and can be written to any file."""
    return _escape(writable(value))


def writable(text: object) -> str:
    """Text that can be written: names of folders may have bytes that are no characters."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def table(rows: Sequence[Sequence[str]], style: str = "") -> str:
    """Rows of HTML; the first one is the header. A table wider than the window scrolls by itself."""
    head = "".join(f"<th>{cell}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return (
        f'<div class="scroll"><table class="{style}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def text_table(rows: Sequence[Sequence[object]], style: str = "") -> str:
    """Rows of plain text; the first one is the header."""
    return table([[escape(cell) for cell in row] for row in rows], style)


def figure(pixels: NDArray[np.uint8], caption: str, style: str = "") -> str:
    """A picture [H, W, 3] RGB with a caption of HTML."""
    return (
        f'<figure class="{style}"><img src="{as_data_uri(pixels)}" alt="">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def figures(parts: Sequence[str]) -> str:
    """Figures side by side."""
    return f'<div class="figures">{"".join(parts)}</div>' if parts else ""
