"""Findings on the HTML page: overview of all kinds, and each with pictures and places."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import islice

from yolact_pl.doctor.examination import Examination
from yolact_pl.doctor.findings import Finding, count_kinds
from yolact_pl.doctor.kinds import Kind, Severity
from yolact_pl.doctor.report.places import image_row, place_of
from yolact_pl.doctor.report.thumbnails import figure
from yolact_pl.report.html import escape, figures, table, text_table

MAX_ROWS = 200
_FOLDED_ROWS = 10
"""Longer tables are folded, so that they do not hide what comes after them."""


def overview(examination: Examination, corrected: Collection[Kind] = ()) -> str:
    """How many findings of each kind there are, what they mean, and links to them."""
    counted = count_kinds(examination.findings)
    if not counted:
        return ""
    splits = [part.coco_set.split for part in examination.sets]
    rows = [["", "finding", *splits, "meaning", "fix=true"]]
    for kind, counts in counted.items():
        numbers = [f"{counts[split]:,}" if counts.get(split) else "-" for split in splits]
        link = f'<a href="#{kind.slug}">{kind.slug}</a>'
        rows.append(
            [
                _badge(kind.severity),
                link,
                *numbers,
                escape(kind.meaning),
                escape(kind.fix)
                if kind in corrected
                else ("-" if kind.severity is Severity.NOTE else "only you can decide"),
            ]
        )
    legend = [f"{_badge(one)} {one.meaning}." for one in Severity if examination.count(one)]
    return table(rows) + f"<p>{' &nbsp; '.join(legend)}</p>"


def sections(examination: Examination, corrected: Collection[Kind], examples: int) -> list[str]:
    """For each kind what to do, pictures of so many examples, and where they are."""
    by_kind: dict[Kind, list[Finding]] = defaultdict(list)
    for finding in examination.findings:
        by_kind[finding.kind].append(finding)
    return [
        _section(examination, kind, by_kind[kind], examples, kind.fix if kind in corrected else "")
        for kind in count_kinds(examination.findings)
    ]


def _section(examination: Examination, kind: Kind, found: list[Finding], examples: int, fix: str) -> str:
    several = len(examination.sets) > 1
    rows: list[list[str]] = [[*(["set"] if several else []), "where", "what"]]
    for finding in found[:MAX_ROWS]:
        place = place_of(examination.part(finding.split).coco_set, finding)
        rows.append([*([finding.split] if several else []), str(place), finding.detail])
    listed = text_table(rows, "places")
    if len(found) > MAX_ROWS:
        listed += f"<p>... and {len(found) - MAX_ROWS:,} more in findings.csv</p>"
    if len(found) > _FOLDED_ROWS:
        listed = f"<details><summary>where they are</summary>{listed}</details>"
    fix = f" <code>fix=true</code> {escape(fix)}." if fix else ""
    return "\n".join(
        [
            f'<h3 id="{kind.slug}">{_badge(kind.severity)} {kind.slug}: {len(found):,}</h3>',
            f"<p>{escape(_sentence(kind.meaning))} What to do: {escape(kind.advice)}.{fix}</p>",
            figures(list(islice(_examples(examination, found, examples), examples))),
            listed,
        ]
    )


def _examples(examination: Examination, found: list[Finding], examples: int) -> Iterator[str]:
    """Pictures of findings; files that cannot be read have none."""
    for finding in found[: 4 * examples]:
        part = examination.part(finding.split)
        row = image_row(part.coco_set, finding)
        if row is not None:
            shown = figure(part, row, finding.annotation, str(place_of(part.coco_set, finding)))
            if shown:
                yield shown


def _badge(severity: Severity) -> str:
    """The word for a severity on its colour."""
    return f'<span class="badge {severity.word}">{severity.word}</span>'


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
