"""Objects of the layers of a canvas, cut to what windows and upper layers leave visible."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

Area: TypeAlias = tuple[slice, slice]
"""Rows and columns of the canvas."""


class ShownObjects(NamedTuple):
    """Objects of one layer on its canvas."""

    rows: np.ndarray
    """[N] int64 into the annotations."""
    boxes: np.ndarray
    """[N, 4] float32 xyxy in pixels of the canvas."""
    masks: list[np.ndarray]
    """Bool [N, h, w] at each resolution, finest first."""


def join(layers: Sequence[ShownObjects]) -> ShownObjects:
    """The objects of all layers in one piece."""
    if len(layers) == 1:
        return layers[0]
    rows, boxes, masks = zip(*layers, strict=True)
    maps = [np.concatenate(maps) for maps in zip(*masks, strict=True)]
    return ShownObjects(np.concatenate(rows), np.concatenate(boxes), maps)


def fit_boxes(objects: ShownObjects, size: tuple[int, int], cut: np.ndarray) -> ShownObjects:
    """Move the sides of the boxes of cut objects to their masks, which may end well inside their window.

    A side stays where its mask ends within a pixel of the map: the box is more exact. Cut objects without a
    pixel are dropped.

    Args:
        objects: of one layer.
        size: (height, width) of the canvas.
        cut: [N] bool, whether the window shows a part of the object only.
    """
    if not cut.any():
        return objects
    masks, boxes = objects.masks[0], objects.boxes.copy()
    scale = _pixel(masks.shape[1:], size)
    ends = _bounds(masks[cut]) * scale
    boxes[cut] = np.where(np.abs(ends - boxes[cut]) > scale, ends, boxes[cut])
    kept = ~cut | masks.any(axis=(1, 2))
    if kept.all():
        return objects._replace(boxes=boxes)
    return ShownObjects(objects.rows[kept], boxes[kept], [maps[kept] for maps in objects.masks])


def hide_covered(
    layers: Sequence[ShownObjects],
    areas: Sequence[Area | None],
    size: tuple[int, int],
    min_side: float,
    min_share: float = 0.0,
) -> list[ShownObjects]:
    """Remove from each layer what later ones cover, as copy-paste does (Ghiasi et al. 2021, section 3).

    Masks lose the covered pixels; a side of a box moves with the mask if the mask receded there. Objects that
    are covered completely, or too much, or whose box has a side below `min_side` now, are dropped.

    Args:
        layers: objects by layer, bottom first.
        areas: what each layer covers; None: the masks of its objects.
        size: (height, width) of the canvas.
        min_side: in pixels of the canvas.
        min_share: least share of the pixels of a mask that has to be left.
    """
    visible = list(layers)
    for number, area in enumerate(areas):
        above = [k for k in range(number + 1, len(layers)) if _overlap(area, areas[k])]
        if above:
            covers = [_cover(layers[k], areas[k], size) for k in above]
            covered = [np.any(maps, axis=0) for maps in zip(*covers, strict=True)]
            visible[number] = _uncovered(layers[number], covered, size, min_side, min_share)
    return visible


def _overlap(first: Area | None, second: Area | None) -> bool:
    """Whether two areas have pixels in common; without an area: maybe."""
    if first is None or second is None:
        return True
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(first, second, strict=True))


def _cover(objects: ShownObjects, area: Area | None, size: tuple[int, int]) -> list[np.ndarray]:
    """What a layer covers: a bool [h, w] at each resolution of its masks."""
    if area is None:
        return [np.logical_or.reduce(maps) for maps in objects.masks]
    return [_centres_in(area, size, maps.shape[1:]) for maps in objects.masks]


def _uncovered(
    objects: ShownObjects,
    covered: Sequence[np.ndarray],
    size: tuple[int, int],
    min_side: float,
    min_share: float,
) -> ShownObjects:
    masks = [maps & ~cover for maps, cover in zip(objects.masks, covered, strict=True)]
    before, after = _bounds(objects.masks[0]), _bounds(masks[0])
    height, width = covered[0].shape
    scale = _pixel((height, width), size)
    moved = np.where(after == before, objects.boxes, (after * scale).astype(np.float32))
    low, high = np.maximum(moved, objects.boxes)[:, :2], np.minimum(moved, objects.boxes)[:, 2:]
    boxes = np.concatenate((low, high), axis=1)
    # Objects between the pixel centres of the map have no mask that could tell.
    x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2 / scale[:2]).astype(np.int64).T
    centre_covered = covered[0][np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    drawn, left = (np.count_nonzero(maps, axis=(1, 2)) for maps in (objects.masks[0], masks[0]))
    enough = left >= np.maximum(min_share * drawn, 1)
    kept = np.where(drawn > 0, enough, ~centre_covered) & (high - low >= min_side).all(axis=1)
    return ShownObjects(objects.rows[kept], boxes[kept], [maps[kept] for maps in masks])


def _pixel(shape: tuple[int, ...], size: tuple[int, int]) -> np.ndarray:
    """[4] float32: width, height, width, height of a pixel of a map on a canvas of (height, width)."""
    return np.array([size[1] / shape[1], size[0] / shape[0]] * 2, np.float32)


def _bounds(masks: np.ndarray) -> np.ndarray:
    """[N, 4] xyxy around the pixels of maps [N, h, w]; the whole map for empty ones."""
    columns, rows = np.any(masks, axis=1), np.any(masks, axis=2)
    return np.stack(
        (
            columns.argmax(axis=1),
            rows.argmax(axis=1),
            columns.shape[1] - columns[:, ::-1].argmax(axis=1),
            rows.shape[1] - rows[:, ::-1].argmax(axis=1),
        ),
        axis=1,
    )


def _centres_in(area: Area, size: tuple[int, int], shape: tuple[int, ...]) -> np.ndarray:
    """Bool map of `shape`: pixels whose centre lies in an area of a canvas of (height, width)."""
    inside = []
    for part, length, count in zip(area, size, shape, strict=True):
        centres = (np.arange(count) + 0.5) * length / count
        inside.append((centres >= part.start) & (centres < part.stop))
    return inside[0][:, None] & inside[1]
