"""COCO's matching and counting by either of two libraries."""

import contextlib
import io
import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from faster_coco_eval import COCO as FasterCOCO
from faster_coco_eval import COCOeval_faster
from faster_coco_eval.core import mask as faster_mask_api
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from yolact_pl.evaluation.ground_truth import CocoObjects
from yolact_pl.results.encoding import ImageResults

logger = logging.getLogger(__name__)

BACKENDS = ("faster_coco_eval", "pycocotools")
MAX_DETECTIONS = 100


def count_matches(
    kind: str,
    truth: CocoObjects,
    found: CocoObjects,
    *,
    images: CocoObjects,
    category_ids: Sequence[int],
    backend: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall at all thresholds, with up to 100 detections per image and class.

    Args:
        kind: "bbox" or "segm".
        truth: annotations, copied since the libraries write into them.
        found: results, likewise theirs afterwards.
        images: "id", "height" and "width" of each image to count on; results on others are left out.
        category_ids: the id of each label.
        backend: one of `BACKENDS`.

    Returns:
        Precision [10 IoUs, 101 recalls, C, 4 areas] and recall [10 IoUs, C, 4 areas]; -1 where a class has no
        objects.
    """
    truth = [dict(obj) for obj in truth]
    categories = [{"id": category} for category in category_ids]
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints; the other one logs
        sides = []
        for objects in (truth, found):
            side: Any = FasterCOCO() if backend == "faster_coco_eval" else COCO()
            side.dataset = {"images": images, "categories": categories, "annotations": objects}
            side.createIndex()
            sides.append(side)
        evaluation: Any = _evaluation(sides[0], sides[1], kind, backend)
        evaluation.params.imgIds = sorted(image["id"] for image in images)
        evaluation.params.maxDets = [MAX_DETECTIONS]
        evaluation.evaluate()
        evaluation.accumulate()
    precision, recall = (np.asarray(evaluation.eval[name])[..., 0] for name in ("precision", "recall"))
    position = np.argsort(np.argsort(category_ids))  # the libraries sort the ids
    return precision[:, :, position], recall[:, position]


def _evaluation(truth: Any, found: Any, kind: Any, backend: str) -> Any:
    if backend == "faster_coco_eval":
        return COCOeval_faster(truth, found, kind, print_function=logger.debug)
    return COCOeval(truth, found, kind)


def box_objects(results: Iterable[ImageResults]) -> CocoObjects:
    """Results with boxes, as the libraries index them."""
    rows = [row for image in results for row in image.box_rows()]
    return [
        row | {"id": number, "iscrowd": 0, "area": row["bbox"][2] * row["bbox"][3]}
        for number, row in enumerate(rows, start=1)
    ]


def mask_objects(results: Iterable[ImageResults]) -> CocoObjects:
    """Results with masks, as the libraries index them."""
    objects = []
    for image in results:
        rows = list(image.mask_rows())
        # pycocotools' own area fails on more than 255 masks.
        areas = faster_mask_api.area([row["segmentation"] for row in rows]).tolist() if rows else []
        for row, box, area in zip(rows, image.boxes, areas, strict=True):
            objects.append(row | {"id": len(objects) + 1, "iscrowd": 0, "area": area, "bbox": box})
    return objects
