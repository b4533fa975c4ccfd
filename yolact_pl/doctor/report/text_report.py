"""Report on screen: tables of numbers, findings and classes."""

from collections.abc import Collection, Sequence

import numpy as np

from yolact_pl.doctor.examination import Examination
from yolact_pl.doctor.findings import Finding, count_kinds
from yolact_pl.doctor.kinds import Kind, Severity
from yolact_pl.doctor.report.places import place_of
from yolact_pl.doctor.report.statistics import Statistics
from yolact_pl.report.html import writable

_MAX_CLASSES = 30
_WIDTH = 60


def summary_rows(examination: Examination) -> list[list[str]]:
    """What the sets consist of; one column for each set after the first one."""
    sets = examination.sets
    header = ["", *(part.coco_set.split for part in sets)]
    columns = [_summary(part.statistics) for part in sets]
    return [header, *([name, *(column[name] for column in columns)] for name in columns[0])]


def _summary(statistics: Statistics) -> dict[str, str]:
    objects, areas = statistics.objects_per_image, statistics.areas
    sizes = np.array([size[:2] for size in statistics.image_sizes]).reshape(-1, 2)
    small, medium, large = statistics.small_medium_large
    height, width, times = statistics.image_sizes[0] if len(sizes) else (0, 0, 0)
    sides = f"{np.median(np.sqrt(areas)):.0f} px" if len(areas) else "-"
    return {
        "images": f"{statistics.images:,}",
        "images without objects": f"{statistics.images_without_objects:,}",
        "instances": f"{statistics.instances:,}",
        "crowd regions": f"{statistics.crowds:,}",
        "classes": f"{len(statistics.classes):,}",
        "objects per image": f"{objects.mean():.1f}, at most {objects.max()}" if len(objects) else "-",
        "image widths": _range(sizes[:, 1]),
        "image heights": _range(sizes[:, 0]),
        "most frequent size": f"{width} x {height} ({times:,} images)" if times else "-",
        "small / medium / large": f"{small:,} / {medium:,} / {large:,}",
        "median side of an object": sides,
    }


def _range(sides: np.ndarray) -> str:
    if len(sides) == 0:
        return "-"
    low, high = sides.min(), sides.max()
    return f"{low} px" if low == high else f"{low} to {high} px"


def class_rows(examination: Examination) -> list[list[str]]:
    """Instances, images and median area of each class, the most frequent in the first set first."""
    sets = [part.statistics for part in examination.sets]
    header = ["class"]
    for part in examination.sets:
        split = part.coco_set.split
        header += [f"{split} instances", f"{split} images", f"{split} median area"]
    by_name = [{one.name: one for one in statistics.classes} for statistics in sets]
    names = dict.fromkeys(
        one.name
        for statistics in sets
        for one in sorted(statistics.classes, key=lambda one: one.instances, reverse=True)
    )
    rows = []
    for name in names:
        row = [name]
        for classes in by_name:
            one = classes.get(name)
            if one is None:
                row += ["-", "-", "-"]
            else:
                area = f"{one.median_area:,.0f}" if one.instances else "-"
                row += [f"{one.instances:,}", f"{one.images:,}", area]
        rows.append(row)
    return [header, *rows]


def finding_rows(examination: Examination, corrected: Collection[Kind]) -> list[list[str]]:
    """Count of each kind, whether fix=true corrects (some of) them, and where the first one is."""
    first: dict[Kind, Finding] = {}
    for finding in examination.findings:
        first.setdefault(finding.kind, finding)
    splits = [part.coco_set.split for part in examination.sets]
    rows = [["", "finding", *splits, "meaning", "fix=true", "first one"]]
    for kind, counts in count_kinds(examination.findings).items():
        finding = first[kind]
        place = str(place_of(examination.part(finding.split).coco_set, finding)) or finding.detail
        numbers = [f"{counts.get(split, 0):,}" for split in splits]
        fix = "corrects" if kind in corrected else "-"
        rows.append([kind.severity.word, kind.slug, *numbers, kind.meaning, fix, place])
    return rows


def text_report(examination: Examination, corrected: Collection[Kind]) -> str:
    """All tables; `corrected`: the kinds that fix=true does something about."""
    splits = len(examination.sets)
    classes = class_rows(examination)
    blocks = [align(summary_rows(examination), right=range(1, splits + 1))]
    blocks.append(align(classes[: _MAX_CLASSES + 1], right=range(1, len(classes[0]))))
    if len(classes) > _MAX_CLASSES + 1:
        blocks[-1] += f"\n... and {len(classes) - 1 - _MAX_CLASSES} more classes"
    blocks.append(finding_table(examination, corrected))
    return "\n\n".join(blocks)


def finding_table(examination: Examination, corrected: Collection[Kind] = ()) -> str:
    """The table of findings, their number, and what the severities mean."""
    if not examination.findings:
        return verdict(examination)
    table = align(finding_rows(examination, corrected), right=range(2, 2 + len(examination.sets)))
    legend = [f"{one.word}: {one.meaning}" for one in Severity if examination.count(one)]
    return "\n".join([table, "", verdict(examination), *legend])


def verdict(examination: Examination) -> str:
    """How many findings there are of each severity."""
    counts = [(examination.count(severity), severity.word) for severity in Severity]
    found = [f"{count:,} {word}{'' if count == 1 else 's'}" for count, word in counts if count]
    return ", ".join(found) or "nothing was found"


def align(rows: Sequence[Sequence[str]], right: range) -> str:
    """Rows of text in columns, those in `right` aligned to the right; the first row is the header."""
    rows = [[cell if len(cell) <= _WIDTH else cell[: _WIDTH - 3] + "..." for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if position in right else cell.ljust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(" | ".join(cells).rstrip())
    lines.insert(1, "-+-".join("-" * width for width in widths))
    return writable("\n".join(lines))
