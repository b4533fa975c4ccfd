"""Decoded frames as they are meant to be displayed: rotated, mirrored, with square pixels."""

from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

_MAX_ASPECT = 4
"""Pixels more elongated than this are taken for a mistake in the header."""


def upright(frame: av.VideoFrame, pixel_aspect: Fraction | None = None) -> NDArray[np.uint8]:
    """A decoded frame as [H, W, 3] RGB; the display matrix is rounded to quarter turns and reflections.

    Args:
        frame: as stored.
        pixel_aspect: width of a stored pixel divided by its height; the frame is enlarged until pixels are
            square. None: they are.
    """
    width, height = frame.width, frame.height
    if pixel_aspect and Fraction(1, _MAX_ASPECT) <= pixel_aspect <= _MAX_ASPECT:
        width, height = round(width * max(pixel_aspect, 1)), round(height / min(pixel_aspect, 1))
    image = np.asarray(frame.to_ndarray(format="rgb24", width=width, height=height), dtype=np.uint8)
    # Nine numbers by rows; a stored (x, y) is displayed at (a x + c y, b x + d y), up to a translation.
    a, b, _, c, d, *_ = _display_matrix(frame)
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, a, d = image.transpose(1, 0, 2), c, b
    if a < 0:
        image = image[:, ::-1]
    if d < 0:
        image = image[::-1]
    return np.ascontiguousarray(image)


def _display_matrix(frame: av.VideoFrame) -> list[int]:
    found = frame.side_data.get("DISPLAYMATRIX")
    return [1, 0, 0, 0, 1, 0, 0, 0, 1] if found is None else np.frombuffer(found, np.int32).tolist()
