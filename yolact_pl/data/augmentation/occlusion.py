"""Objects of the layers of a canvas, cut to what upper layers leave visible."""

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


def hide_covered(
    layers: Sequence[ShownObjects], areas: Sequence[Area | None], size: tuple[int, int], min_side: float
) -> list[ShownObjects]:
    """Remove from each layer what later ones cover, as copy-paste does (Ghiasi et al. 2021, section 3).

    Masks lose the covered pixels; a side of a box moves with the mask if the mask receded there. Objects that
    are covered completely, or whose box has a side below `min_side` now, are dropped.

    Args:
        layers: objects by layer, bottom first.
        areas: what each layer covers; None: the masks of its objects.
        size: (height, width) of the canvas.
        min_side: in pixels of the canvas.
    """
    covered = [np.zeros(maps.shape[1:], bool) for maps in layers[0].masks]
    visible = []
    for objects, area in zip(reversed(layers), reversed(areas), strict=True):
        visible.append(_uncovered(objects, covered, size, min_side) if covered[0].any() else objects)
        for cover, masks in zip(covered, objects.masks, strict=True):
            cover |= masks.any(axis=0) if area is None else _centres_in(area, size, cover.shape)
    return visible[::-1]


def _uncovered(
    objects: ShownObjects, covered: Sequence[np.ndarray], size: tuple[int, int], min_side: float
) -> ShownObjects:
    masks = [maps & ~cover for maps, cover in zip(objects.masks, covered, strict=True)]
    before, after = _bounds(objects.masks[0]), _bounds(masks[0])
    height, width = covered[0].shape
    scale = np.array([size[1] / width, size[0] / height] * 2, np.float32)
    moved = np.where(after == before, objects.boxes, (after * scale).astype(np.float32))
    low, high = np.maximum(moved, objects.boxes)[:, :2], np.minimum(moved, objects.boxes)[:, 2:]
    boxes = np.concatenate((low, high), axis=1)
    # Objects between the pixel centres of the map have no mask that could tell.
    x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2 / scale[:2]).astype(np.int64).T
    centre_covered = covered[0][np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    drawn, left = (maps.any(axis=(1, 2)) for maps in (objects.masks[0], masks[0]))
    kept = np.where(drawn, left, ~centre_covered) & (high - low >= min_side).all(axis=1)
    return ShownObjects(objects.rows[kept], boxes[kept], [maps[kept] for maps in masks])


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
