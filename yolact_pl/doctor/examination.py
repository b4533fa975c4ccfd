"""Examination of a data set: one file, or one to train and one to validate with."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from yolact_pl.data.annotations.coco_json import no_garbage_collection
from yolact_pl.doctor.checks.boxes import check_boxes
from yolact_pl.doctor.checks.doubles import check_doubles
from yolact_pl.doctor.checks.files import Folders, check_files, check_listed
from yolact_pl.doctor.checks.lists import check_categories, check_entries, check_images
from yolact_pl.doctor.checks.masks import check_masks
from yolact_pl.doctor.checks.pair import check_classes, check_pair
from yolact_pl.doctor.coco_set import CocoSet, SetPaths, read_set
from yolact_pl.doctor.findings import Finding
from yolact_pl.doctor.image_facts import ImageFacts, check_pictures, look_at_pictures
from yolact_pl.doctor.kinds import Severity
from yolact_pl.doctor.masks import Masks, measure_masks
from yolact_pl.doctor.report.statistics import Statistics, count


@dataclass(frozen=True, eq=False, repr=False)
class Examined:
    """One set and what is known of it."""

    coco_set: CocoSet
    masks: Masks
    pictures: dict[int, ImageFacts]
    """By image row; empty if the files were not opened."""
    statistics: Statistics


@dataclass(frozen=True, eq=False, repr=False)
class Examination:
    """All sets and all findings."""

    sets: list[Examined]
    findings: list[Finding]

    def count(self, severity: Severity) -> int:
        """How many findings are so bad."""
        return sum(finding.kind.severity is severity for finding in self.findings)

    def of(self, split: str) -> list[Finding]:
        """The findings in one set."""
        return [finding for finding in self.findings if finding.split == split]

    def part(self, split: str) -> Examined:
        """The set to train on or to validate with, and what is known of it."""
        return next(part for part in self.sets if part.coco_set.split == split)


def examine(sets: Sequence[SetPaths], *, opened: dict[Path, ImageFacts] | None) -> Examination:
    """Find everything that is wrong.

    Args:
        sets: one, or the one to train on and the one to validate with.
        opened: pictures by file that have been opened before; all others are opened and added. None: no
            image file is opened, only its existence is checked.
    """
    folders = Folders()
    parts: list[Examined] = []
    findings: list[Finding] = []
    for paths in sets:
        part, found = _examine(paths, folders, opened)
        parts.append(part)
        findings += found
    findings += check_listed([part.coco_set for part in parts], folders)
    if len(parts) == 2:
        train, val = parts
        findings += check_pair(train.coco_set, val.coco_set, (train.pictures, val.pictures))
    return Examination(parts, findings)


@no_garbage_collection()
def _examine(
    paths: SetPaths, folders: Folders, opened: dict[Path, ImageFacts] | None
) -> tuple[Examined, list[Finding]]:
    coco_set, findings = read_set(paths)
    masks = measure_masks(coco_set)
    pictures = {} if opened is None else look_at_pictures(coco_set, folders, opened)
    findings += chain(
        check_files(coco_set, folders),
        check_pictures(coco_set, pictures),
        check_categories(coco_set),
        check_images(coco_set),
        check_classes(coco_set, masks),
        check_entries(coco_set),
        masks.findings,
        check_boxes(coco_set, masks),
        check_masks(coco_set, masks),
        check_doubles(coco_set),
    )
    return Examined(coco_set, masks, pictures, count(coco_set, masks)), findings
