"""Segmentations of a set: problems, bounds and areas."""

from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from yolact_pl.data.annotations.segmentations import mask_api
from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.columns import finite_boxes
from yolact_pl.doctor.findings import Finding, shown
from yolact_pl.doctor.kinds import Kind
from yolact_pl.doctor.rings import FLAT, PROBLEMS, Rings, measure_rings
from yolact_pl.doctor.run_lengths import CodeProblem, code_bounds, run_lengths


@dataclass(frozen=True, eq=False, repr=False)
class Masks:
    """What is known of the segmentations of a set's N annotations."""

    bounds: np.ndarray
    """[N, 4] float64 xyxy around all that can be used, not clipped; NaN where nothing can."""
    areas: np.ndarray
    """[N] float64: pixels of a code, else the surveyor's formula summed over polygons; NaN as above."""
    is_polygon: np.ndarray
    """[N] bool: it has polygons that can be used."""
    is_whole: np.ndarray
    """[N] bool: nothing of it is left out."""
    findings: list[Finding]


def measure_masks(coco_set: CocoSet) -> Masks:
    """Look at every segmentation once."""
    count = len(coco_set.annotations)
    masks = Masks(
        bounds=np.full((count, 4), np.nan),
        areas=np.full(count, np.nan),
        is_polygon=np.zeros(count, bool),
        is_whole=np.ones(count, bool),
        findings=[],
    )
    sizes = coco_set.annotation_sizes
    rings: list[array] = []
    counts = np.zeros(count, np.int64)
    for row, annotation in enumerate(coco_set.annotations):
        segmentation = annotation.get("segmentation")
        if type(segmentation) is dict:
            _measure_code(masks, coco_set.split, row, segmentation, sizes[row])
            continue
        outlines, problem = polygons(segmentation)
        rings += outlines
        counts[row] = len(outlines)
        if problem is not None:
            masks.is_whole[row] = problem is Kind.POLYGON_NOT_NESTED
            masks.findings.append(
                Finding(problem, coco_set.split, _describe(problem, segmentation), annotation=row)
            )
    owners = np.repeat(np.arange(count), counts)
    measured = measure_rings(rings, sizes[owners])
    _combine(masks, measured, owners)
    masks.findings.extend(_ring_findings(coco_set, rings, measured, owners, counts))
    return masks


def polygons(segmentation: Any) -> tuple[list[array], Kind | None]:
    """The polygons of a segmentation that is no RLE, and what is wrong with it as a whole."""
    if type(segmentation) is list and segmentation:
        types = set(map(type, segmentation))
        if types == {array}:
            return segmentation, None
        if types <= {int, float}:
            with suppress(OverflowError):
                return [array("d", segmentation)], Kind.POLYGON_NOT_NESTED
    missing = segmentation is None or segmentation == []
    return [], Kind.SEGMENTATION_MISSING if missing else Kind.SEGMENTATION_MALFORMED


def rectangle_corners(ring: Sequence[float], box: Any) -> tuple[float, ...] | None:
    """x1, y1, x2, y2 of a polygon of 4 numbers that says the same as its box; None if it does not.

    Args:
        ring: [x, y, width, height] or [x1, y1, x2, y2].
        box: [x, y, width, height] as the json says.
    """
    corners = finite_boxes([box])[0]
    if len(ring) != 4 or np.isnan(corners).any() or (corners[2:] <= 0).any():
        return None
    corners[2:] += corners[:2]
    x, y, third, fourth = ring
    for read in ((x, y, x + third, y + fourth), (x, y, third, fourth)):
        if np.abs(np.array(read) - corners).max() <= 2:
            return read
    return None


def covered_pixels(coco_set: CocoSet, row: int) -> int | None:
    """How many pixels the polygons of an annotation, all of them usable, cover in its image.

    None if it has a code, or the image's size is not known.
    """
    size = coco_set.annotation_sizes[row]
    outlines = polygons(coco_set.annotations[row].get("segmentation"))[0]
    if not outlines or np.isnan(size).any():
        return None
    codes = mask_api.frPyObjects([outline.tolist() for outline in outlines], int(size[0]), int(size[1]))
    return int(mask_api.area(mask_api.merge(codes)))


def _measure_code(masks: Masks, split: str, row: int, segmentation: dict[str, Any], size: np.ndarray) -> None:
    try:
        lengths = run_lengths(segmentation, None if np.isnan(size).any() else (int(size[0]), int(size[1])))
    except CodeProblem as problem:
        masks.is_whole[row] = False
        masks.findings.append(Finding(problem.kind, split, str(problem), annotation=row))
        return
    masks.bounds[row] = code_bounds(lengths, int(segmentation["size"][0]))
    masks.areas[row] = lengths[1::2].sum()


def _combine(masks: Masks, measured: Rings, owners: np.ndarray) -> None:
    """Bounds and areas of annotations from those of their polygons."""
    masks.is_whole[owners[measured.problems != 0]] = False
    good = np.flatnonzero((measured.problems == 0) | (measured.problems == FLAT))
    if len(good) == 0:
        return
    rows, first = np.unique(owners[good], return_index=True)
    masks.is_polygon[rows] = True
    masks.bounds[rows, :2] = np.minimum.reduceat(measured.bounds[good, :2], first)
    masks.bounds[rows, 2:] = np.maximum.reduceat(measured.bounds[good, 2:], first)
    masks.areas[rows] = np.add.reduceat(measured.areas[good], first)


def _ring_findings(
    coco_set: CocoSet, rings: list[array], measured: Rings, owners: np.ndarray, counts: np.ndarray
) -> Iterator[Finding]:
    first = np.cumsum(counts) - counts
    for ring in np.flatnonzero(measured.problems).tolist():
        kind = PROBLEMS[int(measured.problems[ring])]
        row = int(owners[ring])
        if rectangle_corners(rings[ring], coco_set.annotations[row].get("bbox")) is not None:
            kind = Kind.POLYGON_RECTANGLE
        part = ring - int(first[row])
        detail = f"polygon {part + 1} of {counts[row]}: {shown([*rings[ring][:6]])}"
        yield Finding(kind, coco_set.split, detail, annotation=row, part=part)


def _describe(problem: Kind, segmentation: Any) -> str:
    return "" if problem is Kind.SEGMENTATION_MISSING else f"the segmentation is {shown(segmentation)}"
