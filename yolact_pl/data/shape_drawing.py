"""Random images of overlapping shapes."""

from dataclasses import dataclass

import cv2
import numpy as np

CLASSES = ("disc", "box", "triangle", "star", "ring")
OVERSAMPLING = 4
"""Shapes are drawn so many times larger and averaged: soft edges, and masks that are decided by area."""

_MIN_VISIBLE = 0.25


@dataclass(frozen=True)
class ShapeImage:
    """A picture and its objects, in drawing order."""

    pixels: np.ndarray
    """[S, S, 3] uint8 RGB."""
    masks: list[np.ndarray]
    """[S, S] uint8 of 0 and 1: what is visible of each object."""
    labels: list[int]
    """0-based, into `CLASSES`."""


def draw_shapes(size: int, rng: np.random.Generator) -> ShapeImage:
    """A square picture of up to 6 shapes, 0.16 to 0.55 of its side large, later ones above earlier ones."""
    pixels = texture(size, rng, contrast=28.0)
    masks: list[np.ndarray] = []
    labels: list[int] = []
    for _ in range(rng.integers(1, 7)):
        label = int(rng.integers(len(CLASSES)))
        cover = _draw(CLASSES[label], size, rng)
        mask = (cover > 0.5).astype(np.uint8)
        visible = [below & (1 - mask) for below in masks]
        hidden = any(
            after.sum() < _MIN_VISIBLE * before.sum() for after, before in zip(visible, masks, strict=True)
        )
        if hidden or mask.sum() < 20:
            continue
        masks = [*visible, mask]
        labels.append(label)
        pixels += cover[:, :, None] * (_paint(size, pixels, mask, rng) - pixels)
    pixels += rng.normal(0, 4, pixels.shape).astype(np.float32)
    return ShapeImage(np.clip(np.rint(pixels), 0, 255).astype(np.uint8), masks, labels)


def outline(name: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Rings [points, 2] of a shape within the unit circle, turned at random; a second ring is a hole."""
    turn = rng.uniform(0, 2 * np.pi)
    if name in ("disc", "ring"):
        circle = _on_circle(np.arange(64) * (2 * np.pi / 64))
        stretched = circle * (1, rng.uniform(0.75, 1))
        rings = [stretched] if name == "disc" else [stretched, stretched * rng.uniform(0.45, 0.65)]
    elif name == "box":
        half = np.arctan(rng.uniform(0.5, 1))
        rings = [_on_circle(np.array([half, np.pi - half, np.pi + half, -half]))]
    elif name == "triangle":
        rings = [_on_circle(np.arange(3) * (2 * np.pi / 3) + rng.uniform(-0.2, 0.2, 3))]
    else:
        points = 2 * int(rng.integers(5, 7))
        radii = np.where(np.arange(points) % 2 == 0, 1, rng.uniform(0.4, 0.5))
        rings = [_on_circle(np.arange(points) * (2 * np.pi / points)) * radii[:, None]]
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return [ring @ rotation for ring in rings]


def _on_circle(angles: np.ndarray) -> np.ndarray:
    return np.stack((np.cos(angles), np.sin(angles)), axis=1)


def _draw(name: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """How much of each pixel a shape at a random place covers, [S, S] float32."""
    radius = 0.5 * size * rng.triangular(0.16, 0.3, 0.55)
    centre = rng.uniform(0.6 * radius, size - 0.6 * radius, 2)
    rings = [np.rint((ring * radius + centre) * OVERSAMPLING).astype(np.int32) for ring in outline(name, rng)]
    large = np.zeros((size * OVERSAMPLING, size * OVERSAMPLING), np.uint8)
    cv2.fillPoly(large, rings, 255)  # even-odd, so that the second ring is left open
    return cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _paint(size: int, pixels: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A faintly textured, shaded colour [S, S, 3] float32: of 6 random ones, what stands out most."""
    behind = np.array(cv2.mean(pixels, mask)[:3], np.float32)
    hues = np.stack((rng.integers(0, 180, 6), rng.integers(110, 256, 6), rng.integers(110, 256, 6)), axis=1)
    colours = cv2.cvtColor(hues.astype(np.uint8)[None], cv2.COLOR_HSV2RGB)[0].astype(np.float32)
    colour = colours[np.abs(colours - behind).max(axis=1).argmax()]
    slope = rng.uniform(-0.35, 0.35, 2)
    along = np.linspace(-1, 1, size, dtype=np.float32)
    shade = 1 + slope[0] * along[:, None] + slope[1] * along
    return colour * shade[:, :, None] + texture(size, rng, contrast=8.0) - 128


def texture(size: int, rng: np.random.Generator, *, contrast: float) -> np.ndarray:
    """Smooth coloured noise around grey, [S, S, 3] float32; `contrast` is its standard deviation."""
    total = np.zeros((size, size, 3), np.float32)
    for cells, weight in ((3, 1.0), (9, 0.45), (30, 0.2)):
        noise = rng.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        total += weight * cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    return 128 + total * np.float32(contrast / max(float(total.std()), 1e-6))
