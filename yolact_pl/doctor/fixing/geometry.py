"""Corrected boxes, polygons and run-length codes."""

from array import array
from collections.abc import Collection
from typing import Any

import numpy as np

from yolact_pl.data.annotations import rle
from yolact_pl.doctor.masks import polygons, rectangle_corners
from yolact_pl.doctor.run_lengths import CodeProblem, code_bounds, run_lengths


def box_of_mask(bounds: np.ndarray, size: np.ndarray) -> list[float] | None:
    """The box [x, y, width, height] of a mask's bounds xyxy, clipped to the image's (height, width).

    None if there is no mask, or none of it in the image; an unknown size does not clip.
    """
    if np.isnan(bounds).any():
        return None
    limit = np.where(np.isnan(size), np.inf, size)[::-1]
    low, high = np.clip(bounds[:2], 0, limit), np.clip(bounds[2:], 0, limit)
    if (high <= low).any():
        return None
    return [round(float(number), 2) for number in (*low, *(high - low))]


def corrected_parts(
    segmentation: Any, box: Any, rectangles: Collection[int], unusable: Collection[int]
) -> list[array]:
    """The usable polygons of a segmentation; rectangles of 4 numbers get their four corners."""
    rings = polygons(segmentation)[0]
    for part in rectangles:
        x1, y1, x2, y2 = rectangle_corners(rings[part], box) or (0, 0, 0, 0)
        rings = [*rings[:part], array("d", (x1, y1, x2, y1, x2, y2, x1, y2)), *rings[part + 1 :]]
    return [ring for part, ring in enumerate(rings) if part not in unusable]


def scaled(annotation: dict[str, Any], size: np.ndarray) -> dict[str, Any]:
    """Box, polygons and area of an annotation in fractions of an image of (height, width), in pixels."""
    height, width = size.tolist()
    factors = np.array([width, height, width, height])
    entries: dict[str, Any] = {"bbox": (np.array(annotation["bbox"]) * factors).round(2).tolist()}
    rings = polygons(annotation.get("segmentation"))[0]
    if rings:
        entries["segmentation"] = [
            array("d", (np.array(ring).reshape(-1, 2) * factors[:2]).round(2).ravel()) for ring in rings
        ]
    area: Any = annotation.get("area")
    if type(area) in (int, float) and 0 <= area <= 1:
        entries["area"] = round(area * width * height, 2)
    return entries


def fitting_code(annotation: dict[str, Any], size: np.ndarray, box: np.ndarray) -> dict[str, Any] | None:
    """An RLE whose size is [width, height] as one of an image of (height, width); None if neither way fits.

    Either only the size is written the wrong way, or the mask itself is transposed: the box [x, y, width,
    height] decides.
    """
    height, width = map(int, size)
    try:
        lengths = run_lengths(annotation["segmentation"], None)
    except CodeProblem:
        return None
    transposed = code_bounds(lengths, width)  # of a mask that is as wide as the image is high
    readings = ((code_bounds(lengths, height), False), ([transposed[k] for k in (1, 0, 3, 2)], True))
    corners = np.concatenate((box[:2], box[:2] + box[2:]))
    for bounds, turned in readings:
        if np.abs(np.array(bounds) - corners).max() <= 2:
            if turned:
                lengths = _transpose(lengths, (height, width))
            code = rle.compress(lengths.tolist(), (height, width))
            return {"size": [height, width], "counts": code.decode()}
    return None


def _transpose(lengths: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The runs, down the columns of an image of (height, width), of a mask whose runs go along its rows."""
    mask = np.repeat(np.arange(len(lengths)) % 2, lengths).reshape(size)
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *ends.tolist(), flat.size])
    return np.concatenate(([0], runs)) if flat[0] else runs
