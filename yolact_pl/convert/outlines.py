"""Rectangles, circles and ellipses as polygons."""

import math

import numpy as np

_TOLERANCE = 0.1
"""Largest distance in pixels between a polygon and its curve."""


def rectangle(x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
    """[4, 2] corners from any two opposite ones."""
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float64)


def ellipse(x: float, y: float, radius_x: float, radius_y: float, angle: float = 0.0) -> np.ndarray:
    """[points, 2] on an ellipse, as many as an accuracy of a tenth of a pixel needs.

    Args:
        x: of the center.
        y: of the center.
        radius_x: in pixels.
        radius_y: in pixels.
        angle: rotation from the x axis towards the y axis, in radians.
    """
    radius = max(radius_x, radius_y, 1.0)
    step = 2 * math.acos(1 - min(_TOLERANCE / radius, 1.0))  # of the arc whose sagitta is the tolerance
    count = max(math.ceil(2 * math.pi / step), 12)
    turn = np.arange(count) * (2 * math.pi / count)
    along, across = radius_x * np.cos(turn), radius_y * np.sin(turn)
    cos, sin = math.cos(angle), math.sin(angle)
    return np.stack((x + along * cos - across * sin, y + along * sin + across * cos), axis=1)
