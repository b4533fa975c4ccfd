"""A corrected copy of an annotation file; what only a person can decide stays as it is."""

import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yolact_pl.doctor.columns import INT64, rows_not_whole
from yolact_pl.doctor.examination import Examined
from yolact_pl.doctor.findings import Finding, shown
from yolact_pl.doctor.fix_geometry import box_of_mask, fitting_code, scaled, without_parts
from yolact_pl.doctor.kinds import Kind
from yolact_pl.evaluation.report import atomic_file

_LISTS = ("images", "annotations", "categories")
_SUSPICIOUS = {Kind.FILE_MISSING, Kind.FILE_UNREADABLE, Kind.IMAGE_UNKNOWN, Kind.CATEGORY_UNKNOWN}
"""If more than half of all entries have this, the folder or the file is the wrong one: nothing is removed."""

REMOVED_IMAGE = (Kind.FILE_NAME_INVALID, Kind.FILE_MISSING, Kind.FILE_UNREADABLE)
REMOVED_ANNOTATION = (
    Kind.IMAGE_UNKNOWN,
    Kind.CATEGORY_UNKNOWN,
    Kind.ANNOTATION_DOUBLE,
    Kind.SEGMENTATION_MISSING,
    Kind.SEGMENTATION_MALFORMED,
    Kind.MASK_EMPTY,
    Kind.RLE_SIZE,
    Kind.RLE_SUM,
    Kind.RLE_DAMAGED,
    Kind.RLE_EMPTY,
)
BOX_FROM_MASK = (
    Kind.BOX_INVALID,
    Kind.BOX_EMPTY,
    Kind.BOX_XYXY,
    Kind.BOX_OUTSIDE,
    Kind.BOX_BEYOND,
    Kind.BOX_DISAGREES,
)
PART_REMOVED = (Kind.POLYGON_FEW_POINTS, Kind.POLYGON_ODD, Kind.POLYGON_FAR, Kind.POLYGON_FLAT)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is different in a corrected copy."""

    path: Path
    """The copy."""
    entry: str
    """As "annotation 12"."""
    what: str


class Correction:
    """The corrected content of one set's file, built from findings; the content read stays as it is."""

    def __init__(self, examined: Examined, path: Path) -> None:
        self._examined = examined
        self._set = examined.coco_set
        self._path = path
        self._rows = {name: list(getattr(self._set, name)) for name in _LISTS}
        self._removed: dict[str, dict[int, str]] = {name: {} for name in _LISTS}
        self._notes: dict[tuple[str, int], list[str]] = defaultdict(list)
        self._next_id = {name: _highest_id(rows) + 1 for name, rows in self._rows.items()}

    def apply(self, findings: list[Finding]) -> None:
        """Correct what findings of this set say."""
        counts = Counter(finding.kind for finding in findings)
        parts: dict[int, set[int]] = defaultdict(set)
        for finding in findings:
            table = "images" if finding.image is not None else "annotations"
            if finding.kind in _SUSPICIOUS and 2 * counts[finding.kind] > len(self._rows[table]):
                continue
            if finding.part is not None and finding.annotation is not None:
                parts[finding.annotation].add(finding.part)
            elif finding.image is not None:
                self._correct_image(finding, finding.image)
            elif finding.category is not None:
                self._correct_category(finding, finding.category)
            elif finding.annotation is not None:
                self._correct_annotation(finding, finding.annotation)
        for row, numbers in parts.items():
            self._remove_parts(row, numbers)
        for row, image in enumerate(self._set.image_of.tolist()):
            if image in self._removed["images"]:
                self._remove("annotations", row, "its image was removed")

    def write(self, foreign: int) -> list[Change]:
        """Write the copy and tell what is different; `foreign` entries that were no objects are gone as well."""
        content = dict(self._set.content)
        for name in _LISTS:
            if name in content:
                removed = self._removed[name]
                content[name] = [row for k, row in enumerate(self._rows[name]) if k not in removed]
        _write_json(self._path, content)
        return self._changes(foreign)

    def _changes(self, foreign: int) -> list[Change]:
        changes = [Change(self._path, f"{foreign} entries", "removed, they are no objects")] if foreign else []
        for name in _LISTS:
            noun = {"images": "image", "annotations": "annotation", "categories": "category"}[name]
            originals = getattr(self._set, name)
            changed = {row for table, row in self._notes if table == name} | self._removed[name].keys()
            for row in sorted(changed):
                why = self._removed[name].get(row)
                what = f"removed: {why}" if why else "; ".join(self._notes[name, row])
                changes.append(Change(self._path, f"{noun} {shown(originals[row].get('id'))}", what))
        return changes

    def _correct_image(self, finding: Finding, row: int) -> None:
        kind, entry = finding.kind, self._rows["images"][row]
        picture = self._examined.pictures.get(row)
        if kind is Kind.IMAGE_ID_INVALID:
            self._renumber("images", row, "image_id", self._set.image_of)
        elif kind is Kind.IMAGE_ID_DOUBLE:
            first = next(one for one in self._rows["images"] if one.get("id") == entry.get("id"))
            if first.get("file_name") == entry.get("file_name"):
                self._remove("images", row, kind.meaning)
        elif kind in REMOVED_IMAGE:
            self._remove("images", row, kind.meaning)
        elif kind is Kind.FILE_NAME_CASE:
            assert finding.value is not None
            self._put("images", row, "file_name", finding.value)
        elif kind in (Kind.IMAGE_SIZE_INVALID, Kind.SIZE_SWAPPED) and picture is not None:
            if not picture.problem and self._fits(row, picture.size):
                self._put("images", row, "height", picture.size[0])
                self._put("images", row, "width", picture.size[1])

    def _fits(self, image: int, size: tuple[int, int]) -> bool:
        """Whether all masks of an image lie in a picture of (height, width), but for a pixel."""
        bounds = self._examined.masks.bounds[self._set.image_of == image, 2:]
        return not (bounds > np.array(size[::-1]) + 1).any()

    def _correct_category(self, finding: Finding, row: int) -> None:
        entry = self._rows["categories"][row]
        if finding.kind is Kind.CATEGORY_ID_INVALID:
            self._renumber("categories", row, "category_id", self._set.category_of)
        elif finding.kind is Kind.CATEGORY_NAME_INVALID:
            self._put("categories", row, "name", f"class at position {row}")
        elif finding.kind is Kind.CATEGORY_ID_DOUBLE:
            first = next(one for one in self._rows["categories"] if one.get("id") == entry.get("id"))
            if first.get("name") == entry.get("name"):
                self._remove("categories", row, finding.kind.meaning)

    def _correct_annotation(self, finding: Finding, row: int) -> None:
        kind, entry = finding.kind, self._rows["annotations"][row]
        if kind in (Kind.ANNOTATION_ID_INVALID, Kind.ANNOTATION_ID_DOUBLE):
            self._renumber("annotations", row)
        elif kind in REMOVED_ANNOTATION:
            self._remove("annotations", row, kind.meaning)
        elif kind is Kind.REFERENCE_TYPE:
            self._refer(row, "image_id", "images", self._set.image_of)
            self._refer(row, "category_id", "categories", self._set.category_of)
        elif kind is Kind.ISCROWD_INVALID:
            self._put("annotations", row, "iscrowd", int(str(entry["iscrowd"]).lower() in ("1", "true", "yes")))
        elif kind is Kind.POLYGON_NOT_NESTED:
            self._put("annotations", row, "segmentation", [entry["segmentation"]], "put into a list")
        elif kind is Kind.RLE_SIZE_SWAPPED:
            segmentation = fitting_code(entry, self._set.annotation_sizes[row], self._set.boxes[row])
            if segmentation is None:
                self._remove("annotations", row, kind.meaning)
            else:
                self._put("annotations", row, "segmentation", segmentation, "size and runs as [height, width]")
        elif kind is Kind.COORDINATES_RELATIVE:
            for key, value in scaled(entry, self._set.annotation_sizes[row]).items():
                self._put("annotations", row, key, value, "times width and height")
        else:
            self._correct_numbers(kind, row)

    def _correct_numbers(self, kind: Kind, row: int) -> None:
        """Boxes and areas, from the mask; a box without a mask to take it from cannot be corrected."""
        if kind in BOX_FROM_MASK or (kind is Kind.NOT_FINITE and np.isnan(self._set.boxes[row]).any()):
            box = box_of_mask(self._examined.masks.bounds[row], self._set.annotation_sizes[row])
            if box is None:
                self._remove("annotations", row, kind.meaning)
            else:
                self._put("annotations", row, "bbox", box)
        if kind in (Kind.AREA_INVALID, Kind.AREA_DISAGREES, Kind.NOT_FINITE) and not np.isfinite(
            self._set.areas[row]
        ):
            self._put_area(row)
        elif kind is Kind.AREA_DISAGREES:
            self._put_area(row)

    def _put_area(self, row: int) -> None:
        area = self._examined.masks.areas[row]
        if not np.isnan(area):
            self._put("annotations", row, "area", round(float(area), 2))

    def _remove_parts(self, row: int, parts: set[int]) -> None:
        left = without_parts(self._rows["annotations"][row]["segmentation"], parts)
        if left:
            numbers = ", ".join(str(part + 1) for part in sorted(parts))
            self._put("annotations", row, "segmentation", left, f"without polygon {numbers}")
        else:
            self._remove("annotations", row, "no polygon of it can be used")

    def _renumber(self, table: str, row: int, key: str = "", owners: np.ndarray | None = None) -> None:
        """Give an entry the next free id, and the annotations that mean it too."""
        number = self._next_id[table]
        self._next_id[table] += 1
        self._put(table, row, "id", number)
        for annotation in np.flatnonzero(owners == row).tolist() if owners is not None else ():
            self._put("annotations", annotation, key, number)

    def _refer(self, row: int, key: str, table: str, owners: np.ndarray) -> None:
        number = self._rows[table][owners[row]].get("id")
        if owners[row] >= 0 and type(self._rows["annotations"][row][key]) is not type(number):
            self._put("annotations", row, key, number)

    def _put(self, table: str, row: int, key: str, value: Any, how: str | None = None) -> None:
        before = self._rows[table][row].get(key)
        self._rows[table][row] = {**self._rows[table][row], key: value}
        self._notes[table, row].append(f"{key} {how or f'{shown(before)} -> {shown(value)}'}")

    def _remove(self, table: str, row: int, why: str) -> None:
        self._removed[table].setdefault(row, why)


def _highest_id(rows: list[dict[str, Any]]) -> int:
    ids = [row.get("id") for row in rows]
    wrong = set(rows_not_whole(ids, *INT64))
    return max((int(value) for row, value in enumerate(ids) if row not in wrong), default=0)  # type: ignore[arg-type]


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Write the content entry by entry: as one text it would take as much memory again."""
    with atomic_file(path) as file:
        file.write("{")
        for k, (key, value) in enumerate(content.items()):
            file.write((", " if k else "") + json.dumps(key) + ": ")
            if key in _LISTS and isinstance(value, list):
                file.write("[")
                for row, entry in enumerate(value):
                    file.write((",\n" if row else "") + json.dumps(entry, default=_as_list))
                file.write("]")
            else:
                file.write(json.dumps(value, default=_as_list))
        file.write("}\n")


_as_list: Callable[[array], list[Any]] = array.tolist
