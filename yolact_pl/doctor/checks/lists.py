"""Categories, images, and references between the lists."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from yolact_pl.data.annotations.annotations import MAX_AREA
from yolact_pl.data.annotations.coco_json import is_usable_text
from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.columns import INT64, column, is_not_finite, rows_not_whole, rows_repeated
from yolact_pl.doctor.findings import Finding, shown
from yolact_pl.doctor.kinds import Kind
from yolact_pl.images.image_file import MAX_PIXELS


def check_categories(coco_set: CocoSet) -> Iterator[Finding]:
    """Ids and names of the classes."""
    split, rows = coco_set.split, coco_set.categories
    ids = column(rows, "id")
    wrong = set(rows_not_whole(ids, *INT64))
    for row in sorted(wrong):
        yield Finding(Kind.CATEGORY_ID_INVALID, split, f"the id is {shown(ids[row])}", category=row)
    names = column(rows, "name")
    repeated = coco_set.repeated_categories
    for row, first in repeated.items():
        detail = f"{shown(names[first])} and {shown(names[row])} have the id {shown(ids[row])}"
        yield Finding(Kind.CATEGORY_ID_DOUBLE, split, detail, category=row)
    yield from _check_names(split, names, ids, repeated)
    if not wrong and not repeated and ids and ids != list(range(1, len(ids) + 1)):
        yield Finding(Kind.CATEGORY_IDS_GAPPED, split, f"{len(ids)} ids from {min(ids)} to {max(ids)}")


def _check_names(split: str, names: list[Any], ids: list[Any], repeated: dict[int, int]) -> Iterator[Finding]:
    """Of categories whose ids have not come before."""
    usable = []
    for row, name in enumerate(names):
        sound = is_usable_text(name)
        usable.append(name if sound and row not in repeated else None)
        if not sound:
            yield Finding(Kind.CATEGORY_NAME_INVALID, split, f"the name is {shown(name)}", category=row)
    same = rows_repeated(usable)
    similar = rows_repeated([None if name is None else "".join(name.split()).casefold() for name in usable])
    for row, first in similar.items():
        kind = Kind.CATEGORY_NAME_DOUBLE if row in same else Kind.CATEGORY_NAME_SIMILAR
        first = same.get(row, first)
        detail = f"{shown(names[row])}, and {shown(names[first])} is category {shown(ids[first])}"
        yield Finding(kind, split, detail, category=row)


def check_images(coco_set: CocoSet) -> Iterator[Finding]:
    """Ids, sizes and file names of the images, and those without objects."""
    split, rows = coco_set.split, coco_set.images
    ids = column(rows, "id")
    for row in rows_not_whole(ids, *INT64):
        yield Finding(Kind.IMAGE_ID_INVALID, split, f"the id is {shown(ids[row])}", image=row)
    repeated = coco_set.repeated_images
    for row, first in repeated.items():
        detail = f"{shown(rows[first].get('file_name'))} has the id {shown(ids[row])} too"
        yield Finding(Kind.IMAGE_ID_DOUBLE, split, detail, image=row)
    for row in np.flatnonzero(np.isnan(coco_set.sizes[:, 0])).tolist():
        width, height = rows[row].get("width"), rows[row].get("height")
        detail = f"the width is {shown(width)}, the height {shown(height)}"
        if not rows_not_whole([width, height], 1, MAX_PIXELS):
            detail += f", more than {MAX_PIXELS} pixels"
        yield Finding(Kind.IMAGE_SIZE_INVALID, split, detail, image=row)
    for row, name in enumerate(coco_set.names):
        if name is None:
            detail = f"the file_name is {shown(rows[row].get('file_name'))}"
            yield Finding(Kind.FILE_NAME_INVALID, split, detail, image=row)
    for row, first in rows_repeated(coco_set.names).items():
        if row not in repeated:
            detail = f"image {shown(ids[first])} has the same file_name"
            yield Finding(Kind.FILE_NAME_DOUBLE, split, detail, image=row)
    if "annotations" in coco_set.content:
        counts = np.bincount(coco_set.image_of[coco_set.image_of >= 0], minlength=len(rows))
        for row in np.flatnonzero(counts == 0).tolist():
            if row not in repeated:
                yield Finding(Kind.IMAGE_EMPTY, split, image=row)


def check_entries(coco_set: CocoSet) -> Iterator[Finding]:
    """Ids, references, crowd marks and areas of the annotations, without their geometry."""
    split, rows = coco_set.split, coco_set.annotations
    ids = column(rows, "id")

    def finding(kind: Kind, row: int, detail: str) -> Finding:
        return Finding(kind, split, detail, annotation=row)

    for row in rows_not_whole(ids, *INT64):
        yield finding(Kind.ANNOTATION_ID_INVALID, row, f"the id is {shown(ids[row])}")
    for row, first in rows_repeated(ids).items():
        detail = (
            f"an annotation of image {shown(rows[first].get('image_id'))} has the id {shown(ids[row])} too"
        )
        yield finding(Kind.ANNOTATION_ID_DOUBLE, row, detail)
    yield from _check_references(coco_set, "image_id", coco_set.image_of, coco_set.images, Kind.IMAGE_UNKNOWN)
    yield from _check_references(
        coco_set, "category_id", coco_set.category_of, coco_set.categories, Kind.CATEGORY_UNKNOWN
    )
    crowds = column(rows, "iscrowd")
    if not set(map(type, crowds)) <= {int} or not set(crowds) <= {0, 1}:
        for row, value in enumerate(crowds):
            if value is not None and (type(value) not in (int, float, bool) or value not in (0, 1)):
                yield finding(Kind.ISCROWD_INVALID, row, f"iscrowd is {shown(value)}")
    yield from _check_areas(coco_set)


def _check_references(
    coco_set: CocoSet, key: str, found: np.ndarray, known: list[dict[str, Any]], kind: Kind
) -> Iterator[Finding]:
    if not known:
        return  # said once of the list, instead of every annotation
    values, ids = column(coco_set.annotations, key), column(known, "id")
    for row in np.flatnonzero(found < 0).tolist():
        yield Finding(kind, coco_set.split, f"the {key} is {shown(values[row])}", annotation=row)
    if set(map(type, values)) | set(map(type, ids)) <= {int}:
        return
    for row in np.flatnonzero(found >= 0).tolist():
        if (type(values[row]) is str) != (type(ids[found[row]]) is str):
            detail = f"the {key} is {shown(values[row])}, the id {shown(ids[found[row]])}"
            yield Finding(Kind.REFERENCE_TYPE, coco_set.split, detail, annotation=row)


def _check_areas(coco_set: CocoSet) -> Iterator[Finding]:
    areas = coco_set.areas
    with np.errstate(invalid="ignore"):
        suspicious = np.flatnonzero(~((areas >= 0) & (areas <= MAX_AREA)))
    for row in suspicious.tolist():
        value = coco_set.annotations[row].get("area")
        if value is None:
            kind, detail = Kind.AREA_MISSING, ""
        else:
            kind = Kind.NOT_FINITE if is_not_finite(value) else Kind.AREA_INVALID
            detail = f"the area is {shown(value)}"
        yield Finding(kind, coco_set.split, detail, annotation=row)
