"""Place of a finding in terms of ids and file names."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

from yolact_pl.atomic_file import atomic_file
from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.examination import Examination
from yolact_pl.doctor.findings import Finding, shown, shown_name
from yolact_pl.report.html import writable


@dataclass(frozen=True, slots=True)
class Place:
    """Ids as the file writes them; empty where the finding is not about such a thing."""

    image_id: str = ""
    file_name: str = ""
    annotation_id: str = ""
    category_id: str = ""

    def __str__(self) -> str:
        parts = (("annotation", self.annotation_id), ("image", self.image_id), ("category", self.category_id))
        text = ", ".join(f"{noun} {name}" for noun, name in parts if name)
        return f"{text} ({self.file_name})" if self.file_name else text


def place_of(coco_set: CocoSet, finding: Finding) -> Place:
    """Image, annotation and category that a finding is about."""
    image = image_row(coco_set, finding)
    place = Place() if image is None else place_of_image(coco_set, image)
    if finding.annotation is not None:
        entry = coco_set.annotations[finding.annotation]
        place = replace(
            place,
            annotation_id=_name(entry.get("id"), finding.annotation),
            image_id=place.image_id or shown(entry.get("image_id")),
        )
    if finding.category is not None:
        name = _name(coco_set.categories[finding.category].get("id"), finding.category)
        place = replace(place, category_id=name)
    return place


def place_of_image(coco_set: CocoSet, row: int) -> Place:
    """An image of the list."""
    name = coco_set.names[row]
    return Place(_name(coco_set.images[row].get("id"), row), "" if name is None else shown_name(name))


def image_row(coco_set: CocoSet, finding: Finding) -> int | None:
    """The image that a finding is about, or that its annotation belongs to."""
    if finding.annotation is None:
        return finding.image
    row = int(coco_set.image_of[finding.annotation])
    return None if row < 0 else row


def write_csv(path: Path, examination: Examination) -> None:
    """Write every finding as a row: severity, kind, json, ids, file name and what exactly."""
    with atomic_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["severity", "kind", "json", "annotation_id", "image_id", "file_name", "category_id", "detail"]
        )
        for finding in examination.findings:
            coco_set = examination.part(finding.split).coco_set
            place = place_of(coco_set, finding)
            writer.writerow(
                [
                    finding.kind.severity.word,
                    finding.kind.slug,
                    writable(coco_set.path),
                    place.annotation_id,
                    place.image_id,
                    place.file_name,
                    place.category_id,
                    writable(finding.detail),
                ]
            )


def _name(value: object, row: int) -> str:
    return f"at position {row} of the list" if value is None else shown(value)
