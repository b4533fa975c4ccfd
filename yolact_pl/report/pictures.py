"""Pictures inside of a page: windows of images, outlines, encoding."""

import base64

import cv2
import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.drawing.colors import Color

GROUND: Color = (70, 70, 74)
"""Shown where a window leaves its image."""
MAX_SCALE = 8
"""Small windows are enlarged by no more."""


def as_data_uri(pixels: NDArray[np.uint8], quality: int = 82) -> str:
    """A picture [H, W, 3] RGB as text that stands in for an address in HTML."""
    encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def look_through(
    pixels: NDArray[np.uint8], window: NDArray[np.float64], side: int
) -> tuple[NDArray[np.uint8], float]:
    """The part of a picture in a window, its longer side `side` pixels, and the scale.

    Args:
        pixels: [H, W, 3].
        window: xyxy in pixels of the picture; may reach outside of it, where the result is grey.
        side: of the result, less for windows that would be enlarged by more than `MAX_SCALE`.
    """
    extent = window[2:] - window[:2]
    scale = min(side / extent.max(), MAX_SCALE)
    width, height = np.maximum(np.round(extent * scale), 1).astype(int).tolist()
    canvas = np.full((height, width, 3), GROUND, np.uint8)
    limit = np.array([pixels.shape[1], pixels.shape[0]])
    first = np.clip(np.floor(window[:2]), 0, limit - 1).astype(int)
    last = np.clip(np.ceil(window[2:]), first + 1, limit).astype(int)
    part = pixels[first[1] : last[1], first[0] : last[0]]
    move = np.array([[scale, 0, (first[0] - window[0]) * scale], [0, scale, (first[1] - window[1]) * scale]])
    if scale < 1:  # averaged first: warping alone would skip pixels
        small = np.maximum(np.round(np.array(part.shape[1::-1]) * scale), 1).astype(int).tolist()
        part = np.asarray(cv2.resize(part, small, interpolation=cv2.INTER_AREA), np.uint8)
        move[0, 0] = move[1, 1] = 1
    cv2.warpAffine(
        part, move, (width, height), dst=canvas, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )
    return canvas, scale


def to_canvas(
    points: NDArray[np.float64], window: NDArray[np.float64], scale: float, side: int
) -> NDArray[np.int32]:
    """Points [n, 2] of an image in pixels of what `look_through` shows of it; far ones are moved nearer."""
    with np.errstate(over="ignore"):
        return np.clip((points - window[:2]) * scale, -9 * side, 9 * side).round().astype(np.int32)


def draw_outlines(canvas: NDArray[np.uint8], rings: list[NDArray[np.int32]], color: Color) -> None:
    """Closed lines through points [n, 2] of a canvas."""
    if rings:
        cv2.polylines(canvas, rings, True, color, 1, cv2.LINE_AA)
