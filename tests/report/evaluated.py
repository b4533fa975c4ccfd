"""A small evaluated set: images on the disk, annotations, detections, matches."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from yolact_pl.callbacks.report_page import ReportFacts
from yolact_pl.data.annotations.annotations import Annotations, read_annotations
from yolact_pl.data.annotations.segmentations import mask_api
from yolact_pl.evaluation.coco_ap import CocoAveragePrecision
from yolact_pl.evaluation.matching.metric import DetectionMatches
from yolact_pl.report.evaluation_page import Evaluation
from yolact_pl.report.sections.data import SetData
from yolact_pl.report.sections.pictures import ImageSource
from yolact_pl.report.sections.remedies import Setting
from yolact_pl.results.detections import Detections

SIDE = 64
Square = tuple[int, int, int, int]
"""Label, x, y, side."""


def square(side: int, x: int, y: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[y : y + side, x : x + side] = True
    return mask


def annotation(number: int, image_id: int, one: Square) -> dict[str, Any]:
    label, x, y, side = one
    code = mask_api.encode(np.asfortranarray(square(side, x, y).astype(np.uint8)))
    return {
        "id": number,
        "image_id": image_id,
        "category_id": label + 1,
        "bbox": [x, y, side, side],
        "area": side * side,
        "iscrowd": 0,
        "segmentation": {"size": [SIDE, SIDE], "counts": code["counts"].decode()},
    }


class Evaluated:
    """Images 1, 2, ... with squares, and what was found on them."""

    def __init__(
        self,
        folder: Path,
        truth: list[list[Square]] | None,
        found: list[list[tuple[Square, float]]],
        *,
        class_names: tuple[str, ...] = ("cat", "dog"),
        file_name: str = "{}.png",
    ) -> None:
        self.folder = folder
        names = [file_name.format(number) for number in range(1, len(found) + 1)]
        for name in names:
            encoded = cv2.imencode(".png", np.full((SIDE, SIDE, 3), 90, np.uint8))[1]
            (folder / name).write_bytes(encoded.tobytes())
        content: dict[str, Any] = {
            "images": [
                {"id": number, "width": SIDE, "height": SIDE, "file_name": name}
                for number, name in enumerate(names, start=1)
            ],
            "categories": [{"id": k, "name": name} for k, name in enumerate(class_names, start=1)],
        }
        if truth is not None:
            placed = [(i, one) for i, squares in enumerate(truth, start=1) for one in squares]
            content["annotations"] = [annotation(n, i, one) for n, (i, one) in enumerate(placed, start=1)]
        path = folder / "instances.json"
        path.write_text(json.dumps(content))
        self.known: Annotations = read_annotations(path, folder)
        ap, matches = CocoAveragePrecision(self.known), DetectionMatches(self.known)
        for number, squares in enumerate(found, start=1):
            ap.update([number], [_detections(squares)])
        matches.update(ap.rows)
        self.results = list(ap.rows)
        self.matches = matches.compute()
        self.metrics = ap.compute() if self.known.has_ground_truth else None

    @property
    def source(self) -> ImageSource:
        return ImageSource(
            self.known, self.folder, {r.image_id: r for r in self.results}, self.folder / "out"
        )

    def evaluation(self, facts: ReportFacts | None = None) -> Evaluation:
        facts = facts or ReportFacts({"checkpoint": "a.ckpt"}, Setting(self.known.class_names, (64, 64)))
        metrics = self.metrics
        return Evaluation(
            measured=facts.subject,
            matches=self.matches,
            source=self.source,
            setting=facts.setting,
            precision={} if metrics is None else {"mask": metrics.mask, "box": metrics.box},
            shares=None,
            why_no_shares="no parts",
            sets={"val": SetData.of(self.known, np.arange(self.known.num_images))},
            curves=facts.curves,
            changes=facts.changes,
        )


def _detections(found: list[tuple[Square, float]]) -> Detections:
    masks = [square(side, x, y) for (_, x, y, side), _ in found]
    return Detections.from_masks(
        boxes=[[x, y, x + side, y + side] for (_, x, y, side), _ in found],
        scores=[score for _, score in found],
        labels=[one[0] for one, _ in found],
        masks=np.array(masks, np.bool_).reshape(-1, SIDE, SIDE),
    )
