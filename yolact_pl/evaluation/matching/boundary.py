"""IoU of the boundaries of masks (Cheng et al., Boundary IoU, 2021)."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from yolact_pl.data.annotations.rle import read_run_lengths
from yolact_pl.data.annotations.segmentations import mask_api
from yolact_pl.results.masks import Patch

DILATION = 0.02
"""Width of a boundary as part of the image's diagonal, as in COCO's boundary AP."""
MIN_IOU = 0.5
"""Masks that overlap by less are a match at no threshold, so that their boundaries are not needed."""


def boundary_ious(
    found: Sequence[dict[str, Any]],
    truth: Sequence[dict[str, Any]],
    mask_iou: NDArray[np.float32],
    iscrowd: NDArray[np.bool_],
    comparable: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """[D, N] float32: the smaller one of mask IoU and boundary IoU (section 4.2 of the paper).

    It is zero where the masks overlap by less than half, or that are not comparable: no boundary is drawn
    for them. For crowd regions it is the mask IoU.

    Args:
        found: D masks as run lengths.
        truth: N masks as run lengths.
        mask_iou: [D, N] IoU of the masks.
        iscrowd: [N].
        comparable: [D, N], whether a detection can be that object: those of one class.
    """
    ious = np.where(iscrowd, mask_iou, np.float32(0))
    rows, columns = np.nonzero((mask_iou >= MIN_IOU) & comparable & ~iscrowd)
    outlines = {int(row): boundary(found[row]) for row in np.unique(rows)}
    true_outlines = {int(column): boundary(truth[column]) for column in np.unique(columns)}
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        iou = _iou(outlines[row], true_outlines[column])
        ious[row, column] = min(iou, mask_iou[row, column])
    return ious


def boundary(mask: dict[str, Any]) -> Patch:
    """The pixels of a mask that are no farther from its edge than 2 % of the image's diagonal, at least one.

    Pixels at the edge of the image belong to it.

    Args:
        mask: as COCO's run lengths.
    """
    height, width = mask["size"]
    distance = max(1, round(DILATION * float(np.hypot(height, width))))
    patch = _patch(mask)
    pixels = patch.pixels.view(np.uint8)
    if pixels.size == 0:
        return patch
    padded = cv2.copyMakeBorder(pixels, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=distance)
    return patch._replace(pixels=(pixels - inner[1:-1, 1:-1]).view(np.bool_))


def _patch(mask: dict[str, Any]) -> Patch:
    """The mask inside of its bounding rectangle; only the columns that it fills are decoded."""
    x, y, width, height = (int(side) for side in mask_api.toBbox(mask))
    counts = mask["counts"]
    lengths = read_run_lengths(counts.encode() if isinstance(counts, str) else counts)
    rows = mask["size"][0]
    ends = np.cumsum(lengths).clip(x * rows, (x + width) * rows)
    flags = (np.arange(len(lengths)) % 2).astype(np.bool_)
    columns = np.repeat(flags, np.diff(ends, prepend=x * rows)).reshape(width, rows)
    return Patch(np.ascontiguousarray(columns.T[y : y + height]), x, y)


def _iou(one: Patch, other: Patch) -> float:
    top, left = max(one.y, other.y), max(one.x, other.x)
    first = one.pixels[top - one.y :, left - one.x :]
    second = other.pixels[top - other.y :, left - other.x :]
    height, width = min(first.shape[0], second.shape[0]), min(first.shape[1], second.shape[1])
    both = int(np.count_nonzero(first[:height, :width] & second[:height, :width]))
    either = int(np.count_nonzero(one.pixels)) + int(np.count_nonzero(other.pixels)) - both
    return both / either
