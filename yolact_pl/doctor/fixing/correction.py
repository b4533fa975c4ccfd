"""Changes of a draft that findings ask for; what only a person can decide stays as it is."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from yolact_pl.doctor.examination import Examined
from yolact_pl.doctor.findings import Finding, shown
from yolact_pl.doctor.fixing.draft import Draft
from yolact_pl.doctor.fixing.geometry import box_of_mask, corrected_parts, fitting_code, scaled
from yolact_pl.doctor.kinds import Kind
from yolact_pl.doctor.masks import covered_pixels

_REMOVED_IMAGE = {Kind.FILE_NAME_INVALID, Kind.FILE_MISSING, Kind.FILE_UNREADABLE}
_REMOVED_ANNOTATION = {
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
}
_SIZE_IN_DOUBT = {Kind.IMAGE_SIZE_INVALID, Kind.SIZE_SWAPPED, Kind.SIZE_WRONG, Kind.EXIF_UPRIGHT}
"""While an image has this, nothing of its annotations can be judged."""
_BOX_FROM_MASK = {
    Kind.BOX_INVALID,
    Kind.BOX_EMPTY,
    Kind.BOX_XYXY,
    Kind.BOX_OUTSIDE,
    Kind.BOX_BEYOND,
    Kind.BOX_DISAGREES,
}
_AREA_FROM_MASK = {Kind.AREA_INVALID, Kind.AREA_DISAGREES}


def correct(
    examined: Examined, findings: Sequence[Finding], *, removes: bool = True
) -> tuple[Draft, set[Kind]]:
    """The content of a set's file with the changes that findings of this set ask for.

    Args:
        examined: the set.
        findings: of the set.
        removes: whether images and annotations may be left out.

    Returns:
        The content, and the kinds of findings that changed something.
    """
    correction = _Correction(examined, removes=removes)
    correction.apply(findings)
    return correction.draft, correction.acted_on


class _Correction:
    def __init__(self, examined: Examined, *, removes: bool) -> None:
        self.draft = Draft(examined.coco_set, removes=removes)
        self.acted_on: set[Kind] = set()
        self._examined = examined
        self._set = examined.coco_set
        self._repeated: set[int] = set()
        """Removed images whose objects are another's now."""

    def apply(self, findings: Sequence[Finding]) -> None:
        parts: dict[int, dict[int, Kind]] = defaultdict(dict)
        doubtful = {finding.image for finding in findings if finding.kind in _SIZE_IN_DOUBT}
        for finding in findings:
            if finding.annotation is not None and self._set.image_of[finding.annotation] in doubtful:
                continue
            before = self.draft.edits
            if finding.part is not None and finding.annotation is not None:
                parts[finding.annotation][finding.part] = finding.kind
            elif finding.image is not None:
                self._correct_image(finding, finding.image)
            elif finding.category is not None:
                self._correct_category(finding.kind, finding.category)
            elif finding.annotation is not None:
                self._correct_annotation(finding.kind, finding.annotation)
            if self.draft.edits > before:
                self.acted_on.add(finding.kind)
        for row, kinds in parts.items():
            before = self.draft.edits
            self._correct_parts(row, kinds)
            if self.draft.edits > before:
                self.acted_on |= set(kinds.values())
        gone = np.array(sorted(self.draft.removed("images") - self._repeated), np.int64)
        for row in np.flatnonzero(np.isin(self._set.image_of, gone)).tolist():
            self.draft.remove("annotations", row, "its image is removed")

    def _correct_image(self, finding: Finding, row: int) -> None:
        kind = finding.kind
        if kind is Kind.IMAGE_ID_INVALID:
            self.draft.renumber("images", row, "image_id", self._set.image_of)
        elif kind is Kind.IMAGE_ID_DOUBLE:
            if self._is_repeated("images", "file_name", row):
                self.draft.remove("images", row, kind.meaning, repeated=True)
                self._repeated.add(row)
        elif kind in _REMOVED_IMAGE:
            self.draft.remove("images", row, kind.meaning)
        elif kind is Kind.FILE_NAME_DOUBLE:
            self._merge_image(row)
        elif finding.file_name is not None:
            self.draft.put("images", row, "file_name", finding.file_name)
        elif kind in (Kind.IMAGE_SIZE_INVALID, Kind.SIZE_SWAPPED, Kind.EXIF_UPRIGHT):
            self._take_size(row)

    def _take_size(self, row: int) -> None:
        """Write the size of an opened picture, unless masks stick out of it by more than a pixel."""
        picture = self._examined.pictures.get(row)
        if picture is None or picture.problem:
            return
        height, width = picture.size
        reach = self._examined.masks.bounds[self._set.image_of == row, 2:]
        if not (reach > np.array([width, height]) + 1).any():
            self.draft.put("images", row, "height", height)
            self.draft.put("images", row, "width", width)

    def _merge_image(self, row: int) -> None:
        """Give an image's objects to the first one with the same file, if only their ids differ."""
        first = self._set.names.index(self._set.names[row])
        number = self.draft.row("images", first).get("id")
        if np.array_equal(self._set.sizes[first], self._set.sizes[row]):
            for annotation in np.flatnonzero(self._set.image_of == row).tolist():
                self.draft.put("annotations", annotation, "image_id", number)
            self.draft.remove("images", row, f"merged into image {shown(number)}", repeated=True)
            self._repeated.add(row)

    def _correct_category(self, kind: Kind, row: int) -> None:
        if kind is Kind.CATEGORY_ID_INVALID:
            self.draft.renumber("categories", row, "category_id", self._set.category_of)
        elif kind is Kind.CATEGORY_NAME_INVALID:
            entry = self.draft.row("categories", row)
            number = type(entry.get("name")) in (int, float)
            self.draft.put(
                "categories", row, "name", str(entry["name"]) if number else f"class {shown(entry.get('id'))}"
            )
        elif kind is Kind.CATEGORY_ID_DOUBLE and self._is_repeated("categories", "name", row):
            self.draft.remove("categories", row, kind.meaning, repeated=True)

    def _is_repeated(self, table: str, key: str, row: int) -> bool:
        """Whether an entry says the same under a key as the first one with its id."""
        rows = getattr(self._set, table)
        first = next(one for one in rows if one.get("id") == rows[row].get("id"))
        return first.get(key) == rows[row].get(key)

    def _correct_annotation(self, kind: Kind, row: int) -> None:
        if kind in (Kind.ANNOTATION_ID_INVALID, Kind.ANNOTATION_ID_DOUBLE):
            self.draft.renumber("annotations", row)
        elif kind in _REMOVED_ANNOTATION:
            self.draft.remove("annotations", row, kind.meaning)
        elif kind is Kind.REFERENCE_TYPE:
            self._refer(row, "image_id", "images", self._set.image_of[row])
            self._refer(row, "category_id", "categories", self._set.category_of[row])
        elif kind is Kind.ISCROWD_INVALID:
            said = str(self._set.annotations[row]["iscrowd"]).lower()
            self.draft.put("annotations", row, "iscrowd", int(said in ("1", "true", "yes")))
        elif kind is Kind.POLYGON_NOT_NESTED:
            polygon = self._set.annotations[row]["segmentation"]
            self.draft.put("annotations", row, "segmentation", [polygon], "put into a list")
        elif kind is Kind.RLE_SIZE_SWAPPED:
            self._turn_code(row)
        elif kind is Kind.COORDINATES_RELATIVE:
            values = scaled(self._set.annotations[row], self._set.annotation_sizes[row])
            for key, value in values.items():
                self.draft.put("annotations", row, key, value, "times width and height")
        elif kind in _AREA_FROM_MASK or (kind is Kind.NOT_FINITE and np.isnan(self._set.areas[row])):
            self._take_area(row)
        if kind in _BOX_FROM_MASK or (kind is Kind.NOT_FINITE and np.isnan(self._set.boxes[row, 0])):
            self._take_box(kind, row)

    def _refer(self, row: int, key: str, table: str, owner: int) -> None:
        """Write the id of the entry that an annotation names, where it was written as another type."""
        if owner >= 0:
            number = self.draft.row(table, owner).get("id")
            if type(self.draft.row("annotations", row)[key]) is not type(number):
                self.draft.put("annotations", row, key, number)

    def _turn_code(self, row: int) -> None:
        entry = self._set.annotations[row]
        code = fitting_code(entry, self._set.annotation_sizes[row], self._set.boxes[row])
        if code is None:
            self.draft.remove("annotations", row, Kind.RLE_SIZE_SWAPPED.meaning)
        else:
            self.draft.put("annotations", row, "segmentation", code, "size and runs as [height, width]")

    def _take_box(self, kind: Kind, row: int) -> None:
        """The box of the mask; an annotation without a mask in the image cannot be corrected."""
        bounds = self._examined.masks.bounds[row]
        box = box_of_mask(bounds, self._set.annotation_sizes[row])
        if box is None:
            mask = "there is no mask" if np.isnan(bounds).any() else "the mask lies outside of the image"
            self.draft.remove("annotations", row, f"{kind.meaning}, and {mask}")
        else:
            self.draft.put("annotations", row, "bbox", box)

    def _take_area(self, row: int) -> None:
        masks = self._examined.masks
        pixels = covered_pixels(self._set, row) if masks.is_whole[row] else None
        area = masks.areas[row] if pixels is None else pixels
        if not np.isnan(area):
            self.draft.put("annotations", row, "area", round(float(area), 2))

    def _correct_parts(self, row: int, kinds: dict[int, Kind]) -> None:
        """Write rectangles with four corners, and leave out what cannot be used."""
        entry = self._set.annotations[row]
        rectangles = {part for part, kind in kinds.items() if kind is Kind.POLYGON_RECTANGLE}
        unusable = kinds.keys() - rectangles
        left = corrected_parts(entry["segmentation"], entry.get("bbox"), rectangles, unusable)
        if left:
            numbers = ", ".join(str(part + 1) for part in sorted(unusable))
            how = [f"without polygon {numbers}"] if unusable else []
            how += ["rectangles with four corners"] if rectangles else []
            self.draft.put("annotations", row, "segmentation", left, ", ".join(how))
        else:
            self.draft.remove(
                "annotations", row, ", ".join(dict.fromkeys(kind.meaning for kind in kinds.values()))
            )
