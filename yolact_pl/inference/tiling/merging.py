"""Merging of detections from overlapping views of an image: one per object."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.drawing.label_places import Rectangle
from yolact_pl.inference.tiling.parts import Part

SAME_OBJECT = 0.5


def rank(part: Part) -> tuple[bool, float]:
    """Sort key of parts: complete ones first, then by descending score."""
    return part.cut, -part.score


def merge_parts(parts: Sequence[Part], *, nms: str = "fast", iou_threshold: float = 0.5) -> list[Part]:
    """The objects of the image, best first.

    A part that a view's border cuts is dropped if most of it lies in a complete one, even if their boxes
    hardly overlap; in one of another class only if that has the higher score, since cut objects are easily
    confused. Cut parts of one class whose masks agree where both views look are joined. Then boxes are
    suppressed as within an image, complete ones first.

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
    """Complete parts, and the joined cut ones that lie in none of them; `parts` are sorted by rank."""
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
    pairs = [
        (i, int(j))
        for i in range(num_complete, len(parts))
        for j in np.flatnonzero(_shared_areas(boxes[i], boxes[:i]))
    ]
    return sorted(pairs, key=lambda pair: pair[1] >= num_complete)


def _lies_in(part: Part, other: Part) -> bool:
    """Whether most of a part, as far as the other view shows it, belongs to the other one."""
    return _common_area(part, other) > SAME_OBJECT * _area_within(part, other.view)


def _agree(a: Part, b: Part) -> bool:
    """Whether two masks agree where both views look."""
    both = _common_area(a, b)
    either = _area_within(a, b.view) + _area_within(b, a.view) - both
    return both > SAME_OBJECT * either


def _common_area(a: Part, b: Part) -> int:
    return int(np.count_nonzero(_within(a, b.place) & _within(b, a.place)))


def _area_within(part: Part, view: Rectangle) -> int:
    return int(np.count_nonzero(_within(part, view)))


def _within(part: Part, rectangle: Rectangle) -> NDArray[np.bool_]:
    """The part of a mask inside of a rectangle; [0, 0] if they do not overlap."""
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
    scores = np.array([part.score + (not part.cut) for part in parts], dtype=np.float32)
    kept = keep_best(_boxes(parts), scores, iou_threshold, by_dropped=nms != "exact")
    return [parts[i] for i in kept]


def keep_best(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], iou_threshold: float, *, by_dropped: bool
) -> list[int]:
    """Non-maximum suppression within one class: the boxes that stay, best first.

    Args:
        boxes: [N, 4] xyxy.
        scores: [N].
        iou_threshold: a box that overlaps a better one by more is dropped.
        by_dropped: whether boxes that are dropped themselves suppress others (fast NMS, YOLACT, section 3.4);
            else the usual greedy suppression.
    """
    order = np.argsort(-scores, kind="stable")
    boxes = boxes[order]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    stays = np.ones(len(boxes), dtype=np.bool_)
    for i in range(len(boxes)):
        if stays[i] or by_dropped:
            shared = _shared_areas(boxes[i], boxes[i + 1 :])
            with np.errstate(invalid="ignore"):  # 0 / 0: boxes without an area overlap nothing
                overlaps = shared / (areas[i] + areas[i + 1 :] - shared) > iou_threshold
            stays[i + 1 :] &= ~overlaps
    return order[stays].tolist()


def _shared_areas(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """[N] of one box with each of [N, 4]."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    return np.maximum(sides, 0).prod(axis=1)


def _boxes(parts: list[Part]) -> NDArray[np.float32]:
    return np.array([part.box for part in parts], dtype=np.float32).reshape(-1, 4)
