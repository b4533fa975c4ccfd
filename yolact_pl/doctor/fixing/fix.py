"""Corrected copies of annotation files."""

from collections import Counter
from pathlib import Path

from yolact_pl.doctor.coco_set import CocoSet, SetPaths
from yolact_pl.doctor.examination import Examination, examine
from yolact_pl.doctor.fixing.correction import correct
from yolact_pl.doctor.fixing.draft import NOUNS, Change, Draft
from yolact_pl.doctor.image_facts import ImageFacts
from yolact_pl.doctor.kinds import Kind

_PASSES = 3
"""Some mistakes show only when others are corrected, such as the box of an object that lost a polygon."""


class Fixer:
    """Corrects copies of the annotation files of an examination.

    Args:
        examination: of the files as they are.
        most: whether more than half of the images or annotations of a file may be removed.
    """

    def __init__(self, examination: Examination, *, most: bool = False) -> None:
        self._examination = examination
        self._most = most
        self._lost: Counter[tuple[str, str]] = Counter()
        """Entries removed by split and list."""

    def corrected_kinds(self) -> set[Kind]:
        """The kinds of findings that a corrected copy would change something for."""
        splits = [part.coco_set.split for part in self._examination.sets]
        return {kind for split in splits for kind in self._correct(self._examination, split)[1]}

    def withheld(self) -> list[str]:
        """Sentences about removals of more than half, which are not made."""
        sentences = []
        for part in self._examination.sets:
            split = part.coco_set.split
            draft = correct(part, self._examination.of(split))[0]
            lost = self._too_many(draft, part.coco_set)
            if lost and not self._most:
                sentences.append(
                    f"{part.coco_set.path}: nothing is removed, since it would be {lost}, more than half; "
                    "correct the file or the paths, or remove them with fix_most=true"
                )
        return sentences

    def write(
        self, folder: Path, *, opened: dict[Path, ImageFacts] | None
    ) -> tuple[list[Change], Examination]:
        """Write a corrected copy of each annotation file that needs one; the file itself is not touched.

        Args:
            folder: where to write `NAME_corrected.json`.
            opened: as in `examine`.

        Returns:
            All changes, and the examination of the copies, or of the file itself where there is no copy.
        """
        changes: list[Change] = []
        examination = self._examination
        copies = _copies(examination, folder)
        for _ in range(_PASSES):
            before = len(changes)
            sets = [self._write_copy(examination, split, copy, changes) for split, copy in copies.items()]
            if len(changes) == before:
                break
            examination = examine(sets, opened=opened)
        return changes, examination

    def _write_copy(
        self, examination: Examination, split: str, copy: Path, changes: list[Change]
    ) -> SetPaths:
        """Write the copy of one split if there is something to correct; what the split is read from now."""
        part = examination.part(split)
        draft, _ = self._correct(examination, split)
        made = draft.changes(copy)
        if made:
            draft.write(copy)
            changes += made
            self._lost.update({(split, table): draft.lost(table) for table in NOUNS})
        return SetPaths(split, copy if made else part.coco_set.path, part.coco_set.folder)

    def _correct(self, examination: Examination, split: str) -> tuple[Draft, set[Kind]]:
        part, findings = examination.part(split), examination.of(split)
        corrected = correct(part, findings)
        if self._most or not self._too_many(corrected[0], part.coco_set):
            return corrected
        return correct(part, findings, removes=False)

    def _too_many(self, draft: Draft, coco_set: CocoSet) -> str:
        """What is removed with this draft and those before it, if that is more than half; else empty."""
        for table, rows in (("images", coco_set.images), ("annotations", coco_set.annotations)):
            before = self._lost[coco_set.split, table]
            lost, count = before + draft.lost(table), before + len(rows)
            if 2 * lost > count:
                return f"{lost} of {count} {table}"
        return ""


def _copies(examination: Examination, folder: Path) -> dict[str, Path]:
    """Where the copy of each split goes."""
    paths = {part.coco_set.split: part.coco_set.path for part in examination.sets}
    same = len({path.stem for path in paths.values()}) < len(paths)
    return {
        split: folder / f"{f'{split}_' if same else ''}{path.stem}_corrected.json"
        for split, path in paths.items()
    }
