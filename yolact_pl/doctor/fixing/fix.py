"""Corrected copies of annotation files."""

from pathlib import Path

from yolact_pl.doctor.coco_set import SetPaths
from yolact_pl.doctor.examination import Examination, examine
from yolact_pl.doctor.fixing.correction import correct
from yolact_pl.doctor.fixing.draft import Change
from yolact_pl.doctor.image_facts import ImageFacts

_PASSES = 3
"""Some mistakes show only when others are corrected, such as the box of an object that lost a polygon."""


def write_corrected(
    examination: Examination, folder: Path, *, opened: dict[Path, ImageFacts] | None
) -> tuple[list[Change], Examination]:
    """Write a corrected copy of each annotation file that needs one; the file itself is not touched.

    Args:
        examination: what to correct.
        folder: where to write `NAME_corrected.json`.
        opened: as in `examine`.

    Returns:
        All changes, and the examination of the copies, or of the file itself where there is no copy.
    """
    changes: list[Change] = []
    copies = _copies(examination, folder)
    for _ in range(_PASSES):
        before = len(changes)
        sets = [_write_copy(examination, split, copy, changes) for split, copy in copies.items()]
        if len(changes) == before:
            break
        examination = examine(sets, opened=opened)
    return changes, examination


def _write_copy(examination: Examination, split: str, copy: Path, changes: list[Change]) -> SetPaths:
    """Write the copy of one split if there is something to correct; what the split is read from now."""
    part = examination.part(split)
    draft = correct(part, [finding for finding in examination.findings if finding.split == split])
    made = draft.changes(copy)
    if made:
        draft.write(copy)
        changes += made
    return SetPaths(split, copy if made else part.coco_set.path, part.coco_set.folder)


def _copies(examination: Examination, folder: Path) -> dict[str, Path]:
    """Where the copy of each split goes."""
    paths = {part.coco_set.split: part.coco_set.path for part in examination.sets}
    same = len({path.stem for path in paths.values()}) < len(paths)
    return {
        split: folder / f"{f'{split}_' if same else ''}{path.stem}_corrected.json"
        for split, path in paths.items()
    }
