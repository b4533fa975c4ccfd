"""Plot of object and anchor sizes."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from yolact_pl.anchor_search.coverage import RECALL_IOU, Coverage, Objects
from yolact_pl.inference.drawing.colors import WHITE, Color, index_color
from yolact_pl.inference.drawing.labels import draw_chip, text_coverage
from yolact_pl.models.anchors import Anchors

Picture = NDArray[np.uint8]

SIDE, LEFT, TOP, GAP, BOTTOM = 520, 64, 64, 84, 60
FONT, SMALL_FONT = 16, 13
GRID: Color = (226, 226, 230)
FRAME: Color = (120, 120, 128)
BEFORE: Color = (150, 150, 158)
AFTER: Color = (24, 96, 200)
BINS = 40
SMALLEST = 0.25
"""Smallest width and height in pixels at which objects are drawn."""


class _Axes(NamedTuple):
    """Data range of a square plot of `SIDE` pixels."""

    left: int
    low: float
    high: float

    def x(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.round(self.left + (values - self.low) / (self.high - self.low) * SIDE).astype(np.int64)

    def y(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.round(TOP + (self.high - values) / (self.high - self.low) * SIDE).astype(np.int64)


def draw_anchors(
    objects: Objects, before: tuple[Anchors, Coverage], after: tuple[Anchors, Coverage]
) -> Picture:
    """Sizes of objects and anchors on the left, histogram of best IoUs on the right.

    Args:
        objects: of a data set.
        before: the configured anchors with their coverage.
        after: the proposed anchors with their coverage.

    Returns:
        [H, W, 3] RGB.
    """
    canvas = np.full((TOP + SIDE + BOTTOM, LEFT + 2 * SIDE + GAP + 28, 3), WHITE, dtype=np.uint8)
    _draw_sizes(canvas, objects, before[0], after[0])
    _draw_ious(canvas, before[1], after[1])
    return canvas


def _draw_sizes(canvas: Picture, objects: Objects, before: Anchors, after: Anchors) -> None:
    sizes = np.log2(np.maximum(objects.sizes.double().numpy(), SMALLEST))
    shapes = [
        np.log2([anchors.cell_sizes(level) for level in range(len(anchors.scales))])  # [levels, K, 2]
        for anchors in (before, after)
    ]
    everything = np.concatenate((sizes, *(shape.reshape(-1, 2) for shape in shapes)))
    axes = _Axes(LEFT, np.floor(everything.min()), np.ceil(everything.max()))
    ticks = np.arange(axes.low, axes.high + 1)
    _frame(canvas, axes, "width (right) and height (up) in pixels of the network's input")
    _ticks(canvas, axes, ticks, [f"{2**tick:g}" for tick in ticks], vertical=True)
    _scatter(canvas, axes, sizes)
    for level, shape in enumerate(shapes[0]):
        for x, y in zip(axes.x(shape[:, 0]).tolist(), axes.y(shape[:, 1]).tolist(), strict=True):
            cv2.rectangle(canvas, (x - 6, y - 6), (x + 6, y + 6), index_color(level), 2, cv2.LINE_AA)
    for level, shape in enumerate(shapes[1]):
        for x, y in zip(axes.x(shape[:, 0]).tolist(), axes.y(shape[:, 1]).tolist(), strict=True):
            cv2.circle(canvas, (x, y), 6, index_color(level), cv2.FILLED, cv2.LINE_AA)
            cv2.circle(canvas, (x, y), 6, (0, 0, 0), 1, cv2.LINE_AA)
    _write(canvas, "squares: configured, dots: proposed", (LEFT + 8, TOP + 6), SMALL_FONT)
    for level in range(len(after.scales)):
        y = TOP + 30 + 19 * level
        cv2.rectangle(canvas, (LEFT + 12, y + 3), (LEFT + 24, y + 13), index_color(level), cv2.FILLED)
        _write(canvas, f"P{3 + level}", (LEFT + 28, y - 2), SMALL_FONT)


def _draw_ious(canvas: Picture, before: Coverage, after: Coverage) -> None:
    axes = _Axes(LEFT + SIDE + GAP, 0.0, 1.0)
    ticks = np.arange(0, 1.01, 0.25)
    _frame(canvas, axes, "IoU with the best anchor")
    _ticks(canvas, axes, ticks, [f"{tick:g}" for tick in ticks], vertical=False)
    counts = [np.histogram(coverage.iou.numpy(), BINS, (0, 1))[0] for coverage in (before, after)]
    top = 1.15 * max(count.max() for count in counts)
    edges = np.repeat(np.linspace(0, 1, BINS + 1), 2)
    named = (("configured", before, BEFORE), ("proposed", after, AFTER))
    for (_, _, color), count in zip(named, counts, strict=True):
        heights = np.concatenate(([0], np.repeat(count / top, 2), [0]))
        points = np.stack((axes.x(edges), axes.y(heights)), axis=1).astype(np.int32)
        cv2.polylines(canvas, [points], False, color, 2, cv2.LINE_AA)
    limit = int(axes.x(np.array(RECALL_IOU)))
    cv2.line(canvas, (limit, TOP), (limit, TOP + SIDE), FRAME, 1)
    for row, (name, coverage, color) in enumerate(named):
        text = f"{name}: mean {coverage.mean_iou:.3f}, {100 * coverage.recall:.1f} % from {RECALL_IOU}"
        y = TOP + 8 + 19 * row
        cv2.rectangle(canvas, (axes.left + 12, y + 3), (axes.left + 24, y + 13), color, cv2.FILLED)
        _write(canvas, text, (axes.left + 28, y - 2), SMALL_FONT)


def _scatter(canvas: Picture, axes: _Axes, sizes: NDArray[np.float64]) -> None:
    """Density map, as thousands of dots would hide each other."""
    density = np.zeros(canvas.shape[:2], dtype=np.float32)
    np.add.at(density, (axes.y(sizes[:, 1]), axes.x(sizes[:, 0])), 1)
    density = np.asarray(cv2.GaussianBlur(density, (0, 0), 2.5))
    shade = np.clip(density / np.quantile(density[density > 0], 0.98), 0, 1) ** 0.5
    canvas[:] = (canvas * (1 - 0.75 * shade[..., None])).astype(np.uint8)


def _frame(canvas: Picture, axes: _Axes, title: str) -> None:
    cv2.rectangle(canvas, (axes.left, TOP), (axes.left + SIDE, TOP + SIDE), FRAME, 1)
    _write(canvas, title, (axes.left, TOP - 34), FONT)


def _ticks(
    canvas: Picture, axes: _Axes, values: NDArray[np.float64], texts: Sequence[str], *, vertical: bool
) -> None:
    for x, text in zip(axes.x(values).tolist(), texts, strict=True):
        if axes.left < x < axes.left + SIDE:
            cv2.line(canvas, (x, TOP + 1), (x, TOP + SIDE - 1), GRID, 1)
        _write(canvas, text, (x - text_coverage(text, SMALL_FONT).shape[1] // 2, TOP + SIDE + 6), SMALL_FONT)
    for y, text in zip(axes.y(values).tolist(), texts if vertical else [], strict=vertical):
        if TOP < y < TOP + SIDE:
            cv2.line(canvas, (axes.left + 1, y), (axes.left + SIDE - 1, y), GRID, 1)
        h, w = text_coverage(text, SMALL_FONT).shape
        _write(canvas, text, (axes.left - 6 - w, y - h // 2), SMALL_FONT)


def _write(canvas: Picture, text: str, corner: tuple[int, int], size: int) -> None:
    draw_chip(canvas, text, corner, WHITE, size)
