"""Clips of moving shapes whose tracks are known."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from yolact_pl.data.shape_drawing import CLASSES, OVERSAMPLING, outline, texture

LOOKS = 6
"""Combinations of class, color and size. The objects of a clip share them: each has look-alikes."""
RADIUS = 14.0, 24.0
SPEED = 0.5, 2.5
"""Smallest and largest, in pixels and in pixels per frame."""
ACCELERATION = 0.08
"""Standard deviation, in pixels per frame squared."""
TURN = 0.04
"""At most, in radians per frame."""
PILLARS, PILLAR_WIDTH = 2, 40


@dataclass(frozen=True)
class TruthFrame:
    """One frame with the objects of which at least a pixel is visible."""

    pixels: NDArray[np.uint8]
    """[H, W, 3] RGB."""
    ids: NDArray[np.int64]
    """[N]: the same for an object in all frames, also after it was hidden; what has left never returns."""
    labels: NDArray[np.int64]
    """[N], into `shape_drawing.CLASSES`."""
    masks: NDArray[np.bool_]
    """[N, H, W]: what is visible of each."""


@dataclass
class _Shape:
    number: int
    label: int
    rings: list[NDArray[np.float64]]
    radius: float
    color: NDArray[np.float32]
    centre: NDArray[np.float64]
    velocity: NDArray[np.float64]
    angle: float
    turn: float


def moving_shapes(
    rng: np.random.Generator, *, size: int = 320, num_objects: int = 20, num_frames: int = 300
) -> Iterator[TruthFrame]:
    """Shapes that drift, turn, pass above and below each other and behind pillars, leave, and are replaced.

    Args:
        rng: decides all.
        size: side of the square frames in pixels. Shapes are 28 to 48 pixels large and move 0.5 to 2.5
            pixels per frame at first.
        num_objects: in the clip at any time, hidden ones included.
        num_frames: length of the clip.
    """
    looks = [_look(i % len(CLASSES), rng) for i in range(LOOKS)]
    background = texture(size, rng, contrast=28.0)
    pillars = np.zeros((size, size), np.bool_)
    for i in range(PILLARS):
        left = int(size * (i + 1) / (PILLARS + 1)) - PILLAR_WIDTH // 2
        pillars[:, left : left + PILLAR_WIDTH] = True
    pillar_pixels = texture(size, rng, contrast=28.0)
    shapes = [
        _Shape(n, *looks[n % LOOKS], rng.uniform(0, size, 2), *_motion(rng)) for n in range(num_objects)
    ]
    next_number = num_objects
    for _ in range(num_frames):
        pixels, masks = _drawn(shapes, background)
        pixels[pillars] = pillar_pixels[pillars]
        masks &= ~pillars
        pixels += rng.normal(0, 4, pixels.shape).astype(np.float32)
        seen = np.flatnonzero(masks.any(axis=(1, 2)))
        yield TruthFrame(
            np.clip(np.rint(pixels), 0, 255).astype(np.uint8),
            np.array([shapes[i].number for i in seen], dtype=np.int64),
            np.array([shapes[i].label for i in seen], dtype=np.int64),
            masks[seen],
        )
        for i, shape in enumerate(shapes):
            shape.velocity = shape.velocity + rng.normal(0, ACCELERATION, 2)
            shape.centre = shape.centre + shape.velocity
            shape.angle += shape.turn
            if (np.abs(shape.centre - size / 2) > size / 2 + shape.radius).any():
                shapes[i] = _entering(next_number, looks[int(rng.integers(LOOKS))], size, rng)
                next_number += 1


def _look(
    label: int, rng: np.random.Generator
) -> tuple[int, list[NDArray[np.float64]], float, NDArray[np.float32]]:
    hue = np.array([[[rng.integers(180), rng.integers(110, 256), rng.integers(110, 256)]]], np.uint8)
    color = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)
    return label, outline(CLASSES[label], rng), rng.uniform(*RADIUS), color


def _motion(rng: np.random.Generator) -> tuple[NDArray[np.float64], float, float]:
    """Velocity in pixels per frame, angle, and turn per frame."""
    heading = rng.uniform(0, 2 * np.pi)
    velocity = rng.uniform(*SPEED) * np.array([np.cos(heading), np.sin(heading)])
    return velocity, rng.uniform(0, 2 * np.pi), rng.uniform(-TURN, TURN)


def _entering(
    number: int,
    look: tuple[int, list[NDArray[np.float64]], float, NDArray[np.float32]],
    size: int,
    rng: np.random.Generator,
) -> _Shape:
    """A new shape just outside of an edge that moves inwards."""
    velocity, angle, turn = _motion(rng)
    centre = rng.uniform(0.2 * size, 0.8 * size, 2)
    axis, far = int(rng.integers(2)), bool(rng.integers(2))
    centre[axis] = size + look[2] - 1 if far else 1 - look[2]
    inwards = max(abs(velocity[axis]), SPEED[0])
    velocity[axis] = -inwards if far else inwards
    return _Shape(number, *look, centre, velocity, angle, turn)


def _drawn(
    shapes: list[_Shape], background: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The picture [S, S, 3] and the visible masks [N, S, S]; later shapes lie above earlier ones."""
    size = len(background)
    pixels = background.copy()
    masks = np.zeros((len(shapes), size, size), np.bool_)
    for i, shape in enumerate(shapes):
        cover, x, y = _cover(shape)
        rows, columns = slice(max(y, 0), y + len(cover)), slice(max(x, 0), x + len(cover))
        cover = cover[max(-y, 0) :, max(-x, 0) :][: max(size - rows.start, 0), : max(size - columns.start, 0)]
        masks[: i + 1, rows, columns] &= cover <= 0.5
        masks[i, rows, columns] = cover > 0.5
        below = pixels[rows, columns]
        below += cover[:, :, None] * (shape.color - below)
    return pixels, masks


def _cover(shape: _Shape) -> tuple[NDArray[np.float32], int, int]:
    """How much of each pixel the shape covers, [s, s], and the x and y of the patch's corner."""
    side = 2 * int(np.ceil(shape.radius)) + 3
    corner = np.floor(shape.centre - side / 2).astype(int)
    cos, sin = np.cos(shape.angle), np.sin(shape.angle)
    turned = [ring @ np.array([[cos, sin], [-sin, cos]]) for ring in shape.rings]
    inside = shape.centre - corner
    rings = [np.rint((ring * shape.radius + inside) * OVERSAMPLING).astype(np.int32) for ring in turned]
    large = np.zeros((side * OVERSAMPLING, side * OVERSAMPLING), np.uint8)
    cv2.fillPoly(large, rings, 255)  # even-odd, so that the second ring is left open
    cover = np.asarray(cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA))
    return (cover / 255).astype(np.float32), int(corner[0]), int(corner[1])
