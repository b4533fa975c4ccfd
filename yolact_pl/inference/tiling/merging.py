"""One object, seen in several overlapping views of a picture, becomes one detection."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yolact_pl.geometry.boxes import box_intersection
from yolact_pl.geometry.nms import cross_class_nms, exact_nms, fast_nms
from yolact_pl.inference.drawing.label_places import Rectangle
from yolact_pl.inference.tiling.parts import Part

SAME_OBJECT = 0.5
PAIRS_AT_ONCE = 1 << 22


def rank(part: Part) -> tuple[bool, float]:
    """What parts are sorted by: complete ones first, each kind from the best down."""
    return part.cut, -part.score


def merge_parts(parts: Sequence[Part], *, nms: str = "fast", iou_threshold: float = 0.5) -> list[Part]:
    """The objects of the picture, best first.

    A part that a view's border cuts gives way to a complete one in which most of it lies, even if their boxes
    hardly overlap; to one of another class if that is surer, since what is cut is easily mistaken. Cut parts
    of one class whose masks agree where both views look are joined. Then boxes are suppressed as within an
    image, complete ones first.

    Args:
        parts: of all views.
        nms: "fast", "exact": within each class; "cross_class": over all classes.
        iou_threshold: of the boxes.
    """
    # A cut part without a mask is nothing but a border.
    seen = sorted((part for part in parts if part.mask.size or not part.cut), key=rank)
    groups: dict[int, list[Part]] = defaultdict(list)
    for part in _unite(seen, any_class=nms == "cross_class"):
        groups[0 if nms == "cross_class" else part.label].append(part)
    merged = [part for group in groups.values() for part in _suppress(group, nms, iou_threshold)]
    return sorted(merged, key=lambda part: -part.score)


def _unite(parts: list[Part], *, any_class: bool) -> list[Part]:
    """Complete parts, and what of the cut ones lies in none of them, joined; `parts` are sorted by rank."""
    num_complete = sum(not part.cut for part in parts)
    root = list(range(len(parts)))  # of each part, the best of those that are joined with it
    dropped: set[int] = set()
    for i, j in _touching(parts, num_complete):
        if i in dropped or j in dropped or parts[i].view == parts[j].view:
            continue
        same_class = any_class or parts[i].label == parts[j].label
        if j < num_complete:
            if (same_class or parts[j].score >= parts[i].score) and _lies_in(parts[i], parts[j]):
                dropped.add(i)
        elif same_class and _agree(parts[i], parts[j]):
            first, second = sorted((_root(root, i), _root(root, j)))
            root[second] = first
    joined: dict[int, list[Part]] = defaultdict(list)
    for i in range(num_complete, len(parts)):
        if i not in dropped:
            joined[_root(root, i)].append(parts[i])
    return [*parts[:num_complete], *(_join(group) for group in joined.values())]


def _touching(parts: list[Part], num_complete: int) -> list[tuple[int, int]]:
    """Pairs of a cut part i and a better ranked part j whose boxes share an area, the complete j first."""
    boxes = _boxes(parts)
    pairs: list[tuple[int, int]] = []
    for rows in torch.arange(num_complete, len(parts)).split(max(1, PAIRS_AT_ONCE // max(1, len(parts)))):
        shared = box_intersection(boxes[rows], boxes) > 0
        better = torch.arange(len(parts)) < rows[:, None]
        found = (shared & better).nonzero()
        pairs += zip(rows[found[:, 0]].tolist(), found[:, 1].tolist(), strict=True)
    return sorted(pairs, key=lambda pair: pair[1] >= num_complete)


def _lies_in(part: Part, other: Part) -> bool:
    """Whether most of what the other view could see of a part belongs to the other one."""
    return _common_area(part, other) > SAME_OBJECT * _area_within(part, other.view)


def _agree(a: Part, b: Part) -> bool:
    """Whether both views see the same where both look."""
    both = _common_area(a, b)
    either = _area_within(a, b.view) + _area_within(b, a.view) - both
    return both > SAME_OBJECT * either


def _common_area(a: Part, b: Part) -> int:
    return int(np.count_nonzero(_within(a, b.place) & _within(b, a.place)))


def _area_within(part: Part, view: Rectangle) -> int:
    return int(np.count_nonzero(_within(part, view)))


def _within(part: Part, rectangle: Rectangle) -> NDArray[np.bool_]:
    """What of a part's mask lies in a rectangle: [0, 0] if nothing of its place does."""
    left, top, right, bottom = part.place
    x1, y1, x2, y2 = rectangle
    if x1 >= right or y1 >= bottom or x2 <= left or y2 <= top:
        return part.mask[:0, :0]
    return part.mask[max(y1 - top, 0) : y2 - top, max(x1 - left, 0) : x2 - left]


def _root(root: list[int], i: int) -> int:
    while root[i] != i:
        root[i] = root[root[i]]
        i = root[i]
    return i


def _join(parts: list[Part]) -> Part:
    """The best of the parts, with the masks and boxes of all."""
    if len(parts) == 1:
        return parts[0]
    left, top, right, bottom = _hull(np.array([part.place for part in parts])).tolist()
    mask = np.zeros((bottom - top, right - left), dtype=np.bool_)
    for part in parts:
        x1, y1, x2, y2 = part.place
        mask[y1 - top : y2 - top, x1 - left : x2 - left] |= part.mask
    x1, y1, x2, y2 = _hull(np.array([part.box for part in parts])).tolist()
    return replace(parts[0], box=(x1, y1, x2, y2), place=(left, top, right, bottom), mask=mask)


def _hull(rectangles: NDArray[Any]) -> NDArray[Any]:
    """The smallest xyxy rectangle around [n, 4] others."""
    return np.concatenate((rectangles[:, :2].min(axis=0), rectangles[:, 2:].max(axis=0)))


def _suppress(parts: list[Part], nms: str, iou_threshold: float) -> list[Part]:
    boxes = _boxes(parts)
    scores = torch.tensor([part.score + (not part.cut) for part in parts])[:, None]
    if nms == "exact":
        limits = {"score_threshold": -1.0, "max_detections": len(parts)}
        index = exact_nms(boxes, scores, iou_threshold=iou_threshold, **limits)[0]
    elif nms == "cross_class":
        index = cross_class_nms(boxes, scores, iou_threshold=iou_threshold, max_candidates=len(parts))[0]
    else:
        limit = len(parts)
        index = fast_nms(
            boxes, scores, iou_threshold=iou_threshold, max_candidates=limit, max_detections=limit
        )[0]
    return [parts[i] for i in index.tolist()]


def _boxes(parts: list[Part]) -> Tensor:
    return torch.tensor([part.box for part in parts], dtype=torch.float32).view(-1, 4)
