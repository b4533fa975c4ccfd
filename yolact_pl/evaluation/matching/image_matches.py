"""Overlaps of the detections and the annotated objects of one image."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.data.annotations.segmentations import mask_api
from yolact_pl.evaluation.ground_truth import CocoObjects
from yolact_pl.evaluation.matching.boundary import boundary_ious
from yolact_pl.results.encoding import ImageResults

MASKS_AT_ONCE = 255
"""pycocotools' C code fails on longer lists of some kinds."""


class ImageMatches(NamedTuple):
    """D detections and N annotated objects of one image, without their masks.

    IoUs with a crowd region are the share of the detection that it covers, as in COCO's AP.
    """

    image_id: int
    scores: NDArray[np.float32]
    """[D], best first: boxes are ranked by them."""
    mask_scores: NDArray[np.float32]
    """[D]: masks are ranked by them."""
    labels: NDArray[np.int64]
    """[D]."""
    mask_areas: NDArray[np.float32]
    """[D] pixels."""
    box_areas: NDArray[np.float32]
    """[D] square pixels."""
    true_labels: NDArray[np.int64]
    """[N]."""
    true_areas: NDArray[np.float64]
    """[N] square pixels, as the annotation file says."""
    iscrowd: NDArray[np.bool_]
    """[N]."""
    annotation_ids: NDArray[np.int64]
    """[N]: the ids in the annotation file."""
    box_iou: NDArray[np.float32]
    """[D, N]."""
    mask_iou: NDArray[np.float32]
    """[D, N]."""
    boundary_iou: NDArray[np.float32] | None
    """[D, N], the smaller one of mask IoU and boundary IoU, see `boundary_ious`; None: not measured."""


def match_image(
    found: ImageResults,
    truth: CocoObjects,
    *,
    label_of: Mapping[int, int],
    annotation_ids: NDArray[np.int64],
    boundary: bool = False,
) -> ImageMatches:
    """Measure the IoU of each detection with each annotated object.

    Args:
        found: the detections.
        truth: the N objects and crowd regions of the image, see `truth_objects`.
        label_of: the label of each category id.
        annotation_ids: [N] of the objects in the annotation file.
        boundary: measure boundaries too, which takes several times as long.
    """
    iscrowd = np.array([obj["iscrowd"] for obj in truth], np.bool_)
    masks = [{"size": list(found.size), "counts": counts} for counts in found.segmentations]
    true_masks = [obj["segmentation"] for obj in truth]
    true_boxes = np.array([obj["bbox"] for obj in truth], np.float64).reshape(-1, 4)
    boxes = np.array(found.boxes, np.float64).reshape(-1, 4)
    mask_iou = _ious(masks, true_masks, iscrowd)
    labels = np.array([label_of[category] for category in found.category_ids], np.int64)
    true_labels = np.array([label_of[obj["category_id"]] for obj in truth], np.int64)
    return ImageMatches(
        image_id=found.image_id,
        scores=np.array(found.scores, np.float32),
        mask_scores=np.array(found.mask_scores, np.float32),
        labels=labels,
        mask_areas=_areas(masks),
        box_areas=(boxes[:, 2] * boxes[:, 3]).astype(np.float32),
        true_labels=true_labels,
        true_areas=np.array([obj["area"] for obj in truth], np.float64),
        iscrowd=iscrowd,
        annotation_ids=annotation_ids,
        box_iou=_ious(boxes, true_boxes, iscrowd),
        mask_iou=mask_iou,
        boundary_iou=(
            boundary_ious(masks, true_masks, mask_iou, iscrowd, labels[:, None] == true_labels)
            if boundary
            else None
        ),
    )


def _ious(
    found: NDArray[np.float64] | Sequence[object],
    truth: NDArray[np.float64] | Sequence[object],
    iscrowd: NDArray[np.bool_],
) -> NDArray[np.float32]:
    if len(found) == 0 or len(truth) == 0:
        return np.zeros((len(found), len(truth)), np.float32)
    return np.asarray(mask_api.iou(found, truth, iscrowd.tolist()), np.float32)


def _areas(masks: Sequence[object]) -> NDArray[np.float32]:
    parts = [masks[start : start + MASKS_AT_ONCE] for start in range(0, len(masks), MASKS_AT_ONCE)]
    return np.concatenate([np.zeros(0), *map(mask_api.area, parts)]).astype(np.float32)
