"""How far the outputs of an exported file are from torch's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SAME_OBJECT = 0.8
"""IoU of the boxes of two detections that are compared. Of equal scores either may suppress the other one,
so that single detections differ."""
UNLIMITED = math.inf
RELATIVE = "relative, RMS"


class Tolerance(NamedTuple):
    """The largest differences that pass."""

    raw: float
    """Of raw outputs, see `raw_difference`."""
    labels: float
    """Share of detections that only one of both has."""
    scores: float
    boxes: float
    """Pixels of the input."""
    masks: float
    """1 - IoU of all masks together."""


TOLERANCES = {
    "float32": Tolerance(raw=1e-3, labels=0.05, scores=1e-3, boxes=0.05, masks=1e-3),
    "float16": Tolerance(raw=5e-2, labels=0.15, scores=5e-2, boxes=4.0, masks=3e-2),
    # Fewer bits change every number; AP tells what it costs.
    "int8": Tolerance(raw=UNLIMITED, labels=UNLIMITED, scores=UNLIMITED, boxes=UNLIMITED, masks=UNLIMITED),
}
"""By precision. Float32 has room for sums in another order, float16 for its 11 bits."""


class Rows(NamedTuple):
    """Detections on one input, best first, without padding."""

    boxes: NDArray[np.float32]
    """[N, 4] xyxy in pixels of the input."""
    scores: NDArray[np.float32]
    """[N]."""
    mask_scores: NDArray[np.float32]
    """[N]."""
    labels: NDArray[np.int64]
    """[N]."""
    masks: NDArray[np.float32]
    """[N, h, w] in 0..1, not cropped."""

    def at(self, index: Sequence[int]) -> "Rows":
        """Some of the rows."""
        rows = list(index)
        return Rows(
            boxes=self.boxes[rows],
            scores=self.scores[rows],
            mask_scores=self.mask_scores[rows],
            labels=self.labels[rows],
            masks=self.masks[rows],
        )


@dataclass(frozen=True)
class Difference:
    """One output on all images of a batch size."""

    output: str
    value: float
    """nan: there was nothing to compare."""
    limit: float
    """Infinite: only reported."""
    unit: str

    @property
    def passes(self) -> bool:
        """Whether it is within the limit; numbers that are not finite where torch's are never pass."""
        return bool(math.isnan(self.value) or self.value <= self.limit)


def raw_difference(
    output: str, expected: NDArray[np.float32], found: NDArray[np.float32], limit: float
) -> Difference:
    """The root mean square of the difference of a raw output, in parts of that of the values expected."""
    if expected.shape != found.shape or not np.isfinite(found).all():
        return Difference(output, UNLIMITED, limit, RELATIVE)
    value = _root_mean_square(expected - found) / max(_root_mean_square(expected), 1e-12)
    return Difference(output, value, limit, RELATIVE)


def _root_mean_square(values: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def detection_differences(
    pairs: Sequence[tuple[Rows, Rows]],
    *,
    tolerance: Tolerance,
    input_size: tuple[int, int],
    max_detections: int,
    score_threshold: float,
    complete: bool,
) -> list[Difference]:
    """Differences of the detections of several images, each torch's and the file's.

    Args:
        pairs: of each image.
        tolerance: of the precision.
        input_size: (height, width), to which boxes are cut.
        max_detections: rows that both have at most.
        score_threshold: before suppression.
        complete: False if the file may lack the last of torch's detections, see `ExactNms`.
    """
    total, alone, inside, around = 0, 0, 0, 0
    largest = {"scores": math.nan, "mask_scores": math.nan, "boxes": math.nan}
    for expected, found in pairs:
        matched, lonely_scores = match(expected, found)
        lowest = [rows.scores[-1] for rows in (expected, found) if len(rows.scores) >= max_detections]
        if not complete and 0 < len(found.scores) < len(expected.scores):
            lowest.append(found.scores[-1])
        # Which of two nearly equal scores is the last to be kept is a matter of rounding.
        floor = max([score_threshold, *map(float, lowest)]) + tolerance.scores
        alone += int((lonely_scores > floor).sum())
        total += len(matched) + int((lonely_scores > floor).sum())
        one, other = expected.at([pair[0] for pair in matched]), found.at([pair[1] for pair in matched])
        changes = {
            "scores": one.scores - other.scores,
            "mask_scores": one.mask_scores - other.mask_scores,
            "boxes": _cut(one.boxes, input_size) - _cut(other.boxes, input_size),
        }
        for output, change in changes.items():
            if change.size:
                largest[output] = float(np.nanmax([np.abs(change).max(), largest[output]]))
        windows = _windows(one.boxes, one.masks.shape[1:], input_size)
        masks, others = (one.masks > 0.5) & windows, (other.masks > 0.5) & windows
        inside += int((masks & others).sum())
        around += int((masks | others).sum())
    return [
        Difference("labels", alone / total if total else math.nan, tolerance.labels, "of the detections"),
        Difference("scores", largest["scores"], tolerance.scores, ""),
        Difference("boxes", largest["boxes"], tolerance.boxes, "pixels"),
        Difference("mask_scores", largest["mask_scores"], tolerance.scores, ""),
        Difference("masks", 1 - inside / around if around else math.nan, tolerance.masks, "1 - IoU"),
    ]


def match(expected: Rows, found: Rows) -> tuple[list[tuple[int, int]], NDArray[np.float32]]:
    """Pairs of rows that mean the same object: one class, and boxes that overlap most.

    Returns:
        The pairs, and the scores of the rows of both sides without a partner.
    """
    iou = _box_iou(expected.boxes, found.boxes)
    iou[expected.labels[:, None] != found.labels[None]] = 0
    pairs: list[tuple[int, int]] = []
    for row in range(len(expected.scores)):
        if iou.shape[1] and iou[row].max() >= SAME_OBJECT:
            # Of equal boxes, such as those without area, the one of the nearest score.
            near = np.flatnonzero(iou[row] >= iou[row].max() - 1e-4)
            partner = int(near[np.abs(found.scores[near] - expected.scores[row]).argmin()])
            pairs.append((row, partner))
            iou[:, partner] = 0
    lonely = [
        np.delete(rows.scores, [pair[side] for pair in pairs]) for side, rows in enumerate((expected, found))
    ]
    return pairs, np.concatenate(lonely)


def _box_iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """[N, 4] and [M, 4] to [N, M]; equal boxes without area overlap fully."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None] - shared
    same = np.abs(a[:, None] - b[None]).max(axis=2) < 1e-2
    return np.where(same, 1, shared / np.maximum(union, 1e-9)).astype(np.float32)


def _cut(boxes: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.clip(boxes, 0, np.array([size[1], size[0]] * 2, np.float32))


def _windows(
    boxes: NDArray[np.float32], map_size: tuple[int, ...], input_size: tuple[int, int]
) -> NDArray[np.bool_]:
    """[N, h, w]: which pixels of each mask lie in its box."""
    height, width = map_size
    scaled = boxes * np.array([width / input_size[1], height / input_size[0]] * 2, np.float32)
    x1, y1, x2, y2 = scaled.T[..., None]
    columns, rows = np.arange(width) + 0.5, np.arange(height) + 0.5
    inside_x, inside_y = (columns >= x1) & (columns < x2), (rows >= y1) & (rows < y2)
    return inside_y[:, :, None] & inside_x[:, None, :]
