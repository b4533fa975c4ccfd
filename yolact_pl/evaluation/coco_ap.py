"""COCO average precision: boxes ranked by their scores, masks by theirs."""

import contextlib
import io
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from faster_coco_eval import COCO as FasterCOCO
from faster_coco_eval import COCOeval_faster
from numpy.typing import NDArray
from pycocotools import mask as mask_api
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from yolact_pl.evaluation.encoding import ImageResults, encode_detections
from yolact_pl.evaluation.ground_truth import Annotations, prepare_objects, read_annotations
from yolact_pl.structures import Detections

logger = logging.getLogger(__name__)

BACKENDS = ("faster_coco_eval", "pycocotools")
IOU_PERCENT = tuple(range(50, 100, 5))
MAX_DETECTIONS = 100


@dataclass(frozen=True)
class ClassPrecision:
    """Average precision of one class, 0..1; nan if the evaluated images have no object of it."""

    name: str
    ap: float
    ap50: float


@dataclass(frozen=True)
class AveragePrecision:
    """COCO's numbers for boxes or for masks, 0..1; nan where there is no object to find."""

    all: float
    """Mean over the classes and the thresholds .50, .55 ... .95."""
    at_iou: dict[int, float]
    """At each threshold, in percent: 50, 55 ... 95."""
    small: float
    """Objects below 32 x 32 pixels; medium: up to 96 x 96; large: above."""
    medium: float
    large: float
    recall: float
    """Average recall with up to 100 detections an image."""
    per_class: tuple[ClassPrecision, ...]


@dataclass(frozen=True)
class CocoMetrics:
    """Average precision of boxes and of masks, and the number of images that it was measured on."""

    box: AveragePrecision
    mask: AveragePrecision
    num_images: int


class CocoEvaluator:
    """Collect detections image by image and measure them against a COCO annotation file.

    Masks are run-length encoded as they come. `rows` of several processes can be gathered and concatenated; of an
    image that occurs twice the first counts.

    Args:
        annotations: the file, or its content.
        category_ids: the id in the file of each label.
        class_names: the name of each label.
        backend: who counts: "faster_coco_eval", or "pycocotools", which is slower and the reference.
    """

    def __init__(
        self,
        annotations: Path | str | Annotations,
        category_ids: Sequence[int],
        class_names: Sequence[str],
        *,
        backend: str = "faster_coco_eval",
    ) -> None:
        if backend not in BACKENDS:
            raise ValueError(f"backend={backend!r} is not known; choose one of {', '.join(BACKENDS)}")
        self._content = read_annotations(annotations)
        self.category_ids = list(category_ids)
        self.class_names = list(class_names)
        self.backend = backend
        self.rows: list[ImageResults] = []

    @property
    def has_ground_truth(self) -> bool:
        """False for a test set, whose file names the images only: its results can be written, not measured."""
        return "annotations" in self._content

    @cached_property
    def _objects(self) -> list[dict[str, Any]]:
        return prepare_objects(self._content)

    def add(self, image_id: int, detections: Detections) -> None:
        """Take the detections of one image, in pixels of the original image."""
        self.rows.append(encode_detections(image_id, detections, self.category_ids))

    def reset(self) -> None:
        """Forget all that was added."""
        self.rows = []

    def evaluate(
        self, rows: Iterable[ImageResults] | None = None, *, image_ids: Iterable[int] | None = None
    ) -> CocoMetrics:
        """Measure the collected results, or `rows` if they are given.

        Args:
            rows: such as the concatenated `rows` of several processes.
            image_ids: the images to measure on; all of the file if None. Images without results count as images
                where nothing was found.

        Raises:
            ValueError: the file has no annotations, or results belong to an image that is not in it.
        """
        if not self.has_ground_truth:
            raise ValueError(
                "the annotation file has no annotations to measure against; write the results instead"
            )
        results = unique_images(self.rows if rows is None else rows)
        known = {image["id"] for image in self._content["images"]}
        measured = known if image_ids is None else set(image_ids)
        for image_id in [*measured, *(row.image_id for row in results)]:
            if image_id not in known:
                raise ValueError(
                    f"image id {image_id} is not in the annotation file; is it of another dataset?"
                )
        results = [row for row in results if row.image_id in measured]
        box, mask = (self._average_precision(kind, results, sorted(measured)) for kind in ("bbox", "segm"))
        return CocoMetrics(box=box, mask=mask, num_images=len(measured))

    def _average_precision(
        self, kind: str, results: list[ImageResults], image_ids: list[int]
    ) -> AveragePrecision:
        found = _box_objects(results) if kind == "bbox" else _mask_objects(results)
        wanted = set(image_ids)
        truth = [
            dict(obj) for obj in self._objects if obj["image_id"] in wanted
        ]  # the libraries write into them
        precision, recall = self._count(kind, truth, found, image_ids)
        return summarize(precision, recall, self.class_names)

    def _count(
        self, kind: str, truth: list[dict[str, Any]], found: list[dict[str, Any]], image_ids: list[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """COCO's precision [10 IoUs, 101 recalls, C, 4 areas] and recall [10 IoUs, C, 4 areas], -1 if undefined."""
        faster = self.backend == "faster_coco_eval"
        images = [image for image in self._content["images"] if image["id"] in set(image_ids)]
        shared = {"images": images, "categories": self._content["categories"]}
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints; the other one logs
            indexed = [FasterCOCO() if faster else COCO() for _ in range(2)]
            for coco, objects in zip(indexed, (truth, found), strict=True):
                coco.dataset = shared | {"annotations": objects}
                coco.createIndex()
            evaluation = (
                COCOeval_faster(*indexed, kind, print_function=logger.debug)
                if faster
                else COCOeval(*indexed, kind)
            )
            evaluation.params.imgIds = image_ids
            evaluation.params.catIds = self.category_ids
            evaluation.params.maxDets = [MAX_DETECTIONS]
            evaluation.evaluate()
            evaluation.accumulate()
        precision, recall = (np.asarray(evaluation.eval[name])[..., 0] for name in ("precision", "recall"))
        position = np.argsort(np.argsort(self.category_ids))  # the libraries sort the ids
        return precision[:, :, position], recall[:, position]


def unique_images(rows: Iterable[ImageResults]) -> list[ImageResults]:
    """Without images that occur again: samplers repeat some so that all processes get equally many."""
    first: dict[int, ImageResults] = {}
    for row in rows:
        first.setdefault(row.image_id, row)
    return list(first.values())


def _box_objects(results: Iterable[ImageResults]) -> list[dict[str, Any]]:
    rows = [row for image in results for row in image.box_rows()]
    return [
        row | {"id": number, "iscrowd": 0, "area": row["bbox"][2] * row["bbox"][3]}
        for number, row in enumerate(rows, start=1)
    ]


def _mask_objects(results: Iterable[ImageResults]) -> list[dict[str, Any]]:
    objects = []
    for image in results:
        rows = list(image.mask_rows())
        areas = mask_api.area([row["segmentation"] for row in rows]).tolist() if rows else []
        for row, box, area in zip(rows, image.boxes, areas, strict=True):
            objects.append(row | {"id": len(objects) + 1, "iscrowd": 0, "area": area, "bbox": box})
    return objects


def summarize(
    precision: NDArray[np.float64], recall: NDArray[np.float64], class_names: Sequence[str]
) -> AveragePrecision:
    """Average COCO's tables.

    Args:
        precision: [10 IoUs, 101 recalls, C, 4 areas], -1 where a class has no objects of that area.
        recall: [10 IoUs, C, 4 areas], likewise.
        class_names: C names.
    """
    everything = precision[..., 0]
    return AveragePrecision(
        all=_mean(everything),
        at_iou={iou: _mean(everything[i]) for i, iou in enumerate(IOU_PERCENT)},
        small=_mean(precision[..., 1]),
        medium=_mean(precision[..., 2]),
        large=_mean(precision[..., 3]),
        recall=_mean(recall[..., 0]),
        per_class=tuple(
            ClassPrecision(name, ap=_mean(everything[:, :, c]), ap50=_mean(everything[0, :, c]))
            for c, name in enumerate(class_names)
        ),
    )


def _mean(values: NDArray[np.float64]) -> float:
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else math.nan
