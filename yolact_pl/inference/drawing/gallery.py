"""Contact sheets: many pictures in one."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.drawing.colors import Color
from yolact_pl.inference.drawing.labels import draw_chip, shorten

BACKGROUND: Color = (32, 32, 36)


def gallery(
    panels: Sequence[NDArray[np.uint8]], columns: int, *, width: int = 480, gap: int = 6
) -> NDArray[np.uint8]:
    """One picture of all panels, row by row on a dark ground.

    Args:
        panels: [H, W, 3] RGB each, of any sizes; at least one.
        columns: how many stand side by side at most.
        width: of every panel, see `thumbnail`.
        gap: pixels between and around the panels.

    Returns:
        [H, W, 3] RGB.
    """
    if not panels:
        raise ValueError("a gallery needs at least one picture")
    scaled = [thumbnail(panel, width) for panel in panels]
    columns = min(columns, len(scaled))
    rows = [scaled[start : start + columns] for start in range(0, len(scaled), columns)]
    heights = [max(len(panel) for panel in row) for row in rows]
    sheet = _ground(sum(heights) + gap * (len(rows) + 1), columns * (width + gap) + gap)
    top = gap
    for row, height in zip(rows, heights, strict=True):
        for column, panel in enumerate(row):
            h, w = panel.shape[:2]
            y = top + (height - h) // 2
            x = gap + column * (width + gap) + (width - w) // 2
            sheet[y : y + h, x : x + w] = panel
        top += height + gap
    return sheet


def thumbnail(panel: NDArray[np.uint8], width: int = 480) -> NDArray[np.uint8]:
    """A picture [H, W, 3] scaled to so many pixels of width, but to no more than twice that in height."""
    h, w = panel.shape[:2]
    scale = min(width / w, 2 * width / h)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    resized = cv2.resize(panel, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)


def side_by_side(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Ground truth at the left, prediction at the right, each under a caption; both [H, W, 3] of one size."""
    left, right = captioned(truth, "ground truth"), captioned(prediction, "prediction")
    return np.concatenate((left, _ground(len(left), max(2, _font_size(truth) // 4)), right), axis=1)


def captioned(panel: NDArray[np.uint8], caption: str) -> NDArray[np.uint8]:
    """A picture [H, W, 3] under a strip with its caption."""
    height, width = panel.shape[:2]
    font_size = _font_size(panel)
    strip = round(1.5 * font_size)
    sheet = _ground(strip + height, width)
    sheet[strip:] = panel
    text = shorten(caption, "", font_size, width)
    if text:
        draw_chip(sheet, text, (0, (strip - font_size) // 3), BACKGROUND, font_size)
    return sheet


def _font_size(panel: NDArray[np.uint8]) -> int:
    height, width = panel.shape[:2]
    return round(8 + (height * width) ** 0.5 / 80)


def _ground(height: int, width: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), BACKGROUND, dtype=np.uint8)
