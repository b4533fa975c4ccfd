"""Boxes against images and masks."""

from collections.abc import Iterator

import numpy as np

from yolact_pl.doctor.boxes import boxes_agree, clip_boxes
from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.columns import is_not_finite
from yolact_pl.doctor.findings import Finding, shown
from yolact_pl.doctor.kinds import Kind
from yolact_pl.doctor.masks import Masks

BEYOND = 1.0
"""Pixels that a box or polygon may stick out."""


def check_boxes(coco_set: CocoSet, masks: Masks) -> Iterator[Finding]:
    """Each box has at most one finding: the first of these that is true of it."""
    boxes, bounds = coco_set.boxes, masks.bounds
    images = coco_set.annotation_sizes[:, ::-1]
    left = ~np.isnan(boxes[:, 0])
    for row in np.flatnonzero(~left).tolist():
        value = coco_set.annotations[row].get("bbox")
        kind = Kind.NOT_FINITE if is_not_finite(value) else Kind.BOX_INVALID
        yield _finding(coco_set, kind, row, f"the bbox is {shown(value)}")
    with np.errstate(invalid="ignore", over="ignore"):
        xyxy = np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), axis=1)
        inside, mask_inside = clip_boxes(xyxy, images), clip_boxes(bounds, images)
        agrees = boxes_agree(inside, mask_inside)
        read_as_xyxy = boxes_agree(clip_boxes(boxes, images), mask_inside)
        other = masks.is_whole & ~np.isnan(bounds[:, 0]) & ~agrees
        findings = (
            (Kind.BOX_EMPTY, (boxes[:, 2:] <= 0).any(axis=1)),
            (Kind.COORDINATES_RELATIVE, is_relative(coco_set, masks)),
            (Kind.BOX_XYXY, other & read_as_xyxy),
            (Kind.BOX_OUTSIDE, (inside[:, 2:] <= inside[:, :2]).any(axis=1)),
            (Kind.BOX_DISAGREES, other & (mask_inside[:, 2:] > mask_inside[:, :2]).all(axis=1)),
            (Kind.BOX_BEYOND, (np.abs(xyxy - inside) > BEYOND).any(axis=1)),
        )
    for kind, true in findings:
        for row in np.flatnonzero(left & true).tolist():
            detail = f"the bbox is {shown(coco_set.annotations[row]['bbox'])}"
            if kind in (Kind.BOX_XYXY, Kind.BOX_DISAGREES):
                detail += f", the mask reaches {reach(bounds[row])}"
            elif kind is not Kind.BOX_EMPTY:
                detail += f", the image {images[row, 0]:.0f} x {images[row, 1]:.0f}"
            yield _finding(coco_set, kind, row, detail)
        left &= ~true


def is_relative(coco_set: CocoSet, masks: Masks) -> np.ndarray:
    """[N] bool: neither box nor polygons reach farther than 1 pixel, in an image that is larger."""
    boxes = coco_set.boxes
    with np.errstate(invalid="ignore", over="ignore"):
        small = ((boxes >= 0) & (boxes <= 1)).all(axis=1) & (boxes[:, :2] + boxes[:, 2:] <= 1.01).all(axis=1)
        outline_small = (masks.bounds[:, :2] >= 0).all(axis=1) & (masks.bounds[:, 2:] <= 1.01).all(axis=1)
        no_mask = np.isnan(masks.bounds[:, 0])
        larger = (coco_set.annotation_sizes > 4).all(axis=1)
    return small & larger & (no_mask | (outline_small & masks.is_polygon))


def reach(bounds: np.ndarray) -> str:
    """A box xyxy as text."""
    return "x {:g} to {:g}, y {:g} to {:g}".format(*bounds[[0, 2, 1, 3]])


def _finding(coco_set: CocoSet, kind: Kind, row: int, detail: str) -> Finding:
    return Finding(kind, coco_set.split, detail, annotation=row)
