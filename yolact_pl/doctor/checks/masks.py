"""Masks against images, areas against masks."""

from collections.abc import Iterator

import numpy as np

from yolact_pl.data.annotations.annotations import MAX_AREA
from yolact_pl.doctor.checks.boxes import BEYOND, is_relative, reach
from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.findings import Finding
from yolact_pl.doctor.kinds import Kind
from yolact_pl.doctor.masks import Masks, covered_pixels

FEW_PIXELS = 4.0
"""A polygon of at least this area always covers the centre of a pixel, unless it is a splinter."""


def check_masks(coco_set: CocoSet, masks: Masks) -> Iterator[Finding]:
    """Masks without a pixel, polygons that stick out, areas that are not those of the masks."""
    relative = is_relative(coco_set, masks)
    width_height = coco_set.annotation_sizes[:, ::-1]
    low, high = masks.bounds[:, :2], masks.bounds[:, 2:]
    with np.errstate(invalid="ignore"):
        beyond = np.any((low < -BEYOND) | (high > width_height + BEYOND), axis=1)
        outside = ((high <= 0) | (low >= width_height)).any(axis=1)
        may_be_empty = masks.is_polygon & masks.is_whole & ((masks.areas < FEW_PIXELS) | outside) & ~relative
    for row in np.flatnonzero(may_be_empty).tolist():
        if covered_pixels(coco_set, row) == 0:
            beyond[row] = False
            yield Finding(Kind.MASK_EMPTY, coco_set.split, _reaches(masks, row), annotation=row)
    for row in np.flatnonzero(beyond).tolist():
        size = "{:.0f} x {:.0f}".format(*width_height[row])
        detail = f"{_reaches(masks, row)}, the image is {size}"
        yield Finding(Kind.POLYGON_BEYOND, coco_set.split, detail, annotation=row)
    yield from _check_areas(coco_set, masks, ~relative)


def _check_areas(coco_set: CocoSet, masks: Masks, chosen: np.ndarray) -> Iterator[Finding]:
    """Of annotations [N] bool whose coordinates are in pixels."""
    stated, measured = coco_set.areas, masks.areas
    with np.errstate(invalid="ignore"):
        tolerance = 0.05 * measured + (masks.bounds[:, 2:] - masks.bounds[:, :2]).sum(axis=1) + 2
        differs = (stated >= 0) & (stated <= MAX_AREA) & (np.abs(stated - measured) > tolerance)
    # COCO's own crowd regions have areas that were counted in another way.
    for row in np.flatnonzero(differs & chosen & ~coco_set.iscrowd & masks.is_whole).tolist():
        pixels = covered_pixels(coco_set, row)  # overlapping or crossing polygons deceive the formula
        area = measured[row] if pixels is None else pixels
        if abs(stated[row] - area) > tolerance[row]:
            detail = f"the area is {stated[row]:g}, the mask has {area:g} pixels"
            yield Finding(Kind.AREA_DISAGREES, coco_set.split, detail, annotation=row)


def _reaches(masks: Masks, row: int) -> str:
    return f"it reaches {reach(masks.bounds[row])}"
