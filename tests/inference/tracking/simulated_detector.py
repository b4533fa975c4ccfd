"""Detections made from the truth of moving shapes, as an ideal network's with noise."""

from collections.abc import Sequence

import cv2
import numpy as np

from yolact_pl.data.moving_shapes import TruthFrame
from yolact_pl.data.shape_drawing import CLASSES
from yolact_pl.results.detections import Detections
from yolact_pl.results.input_detections import InputDetections

STRIDE = 2
MISSED, VISIBLE, JITTER, SCORE_NOISE = 0.05, 0.3, 0.03, 0.08


def simulated_detections(
    clip: Sequence[TruthFrame], rng: np.random.Generator, *, parts: bool = True
) -> list[Detections]:
    """Prototype k is positive on what is visible of the shapes of class k, the last one is everywhere."""
    whole: dict[int, int] = {}
    for frame in clip:
        for number, area in zip(frame.ids.tolist(), frame.masks.sum(axis=(1, 2)).tolist(), strict=True):
            whole[number] = max(whole.get(number, 0), area)
    return [_detect(frame, whole, rng, parts=parts) for frame in clip]


def _detect(frame: TruthFrame, whole: dict[int, int], rng: np.random.Generator, *, parts: bool) -> Detections:
    size = frame.pixels.shape[:2]
    map_size = size[0] // STRIDE, size[1] // STRIDE
    prototypes = np.ones((len(CLASSES) + 1, *map_size), dtype=np.float32)
    for label in range(len(CLASSES)):
        union = frame.masks[frame.labels == label].any(axis=0).astype(np.float32)
        prototypes[label] = cv2.resize(union, map_size[::-1], interpolation=cv2.INTER_AREA)
    boxes, scores, labels = [], [], []
    for number, label, mask in zip(frame.ids.tolist(), frame.labels.tolist(), frame.masks, strict=True):
        visible = np.count_nonzero(mask) / whole[number]
        if visible < VISIBLE or rng.random() < MISSED:
            continue
        x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
        boxes.append(np.array([x, y, x + w, y + h]) + rng.normal(0, JITTER, 4) * [w, h, w, h])
        scores.append(np.clip(0.95 * visible**0.5 + rng.normal(0, SCORE_NOISE), 0.11, 0.99))
        labels.append(label)
    coefficients = 12 * np.eye(len(CLASSES) + 1)[labels] + rng.normal(0, 0.3, (len(labels), len(CLASSES) + 1))
    coefficients[:, -1] = -6
    coefficients = coefficients.astype(np.float32)
    logits = np.tensordot(coefficients, prototypes, axes=1)
    found = InputDetections(
        boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        scores=np.array(scores, dtype=np.float32),
        mask_scores=np.array(scores, dtype=np.float32),
        labels=np.array(labels, dtype=np.int64),
        masks=(1 / (1 + np.exp(-logits))).astype(np.float32),
        input_size=(size[0], size[1]),
        prototypes=prototypes if parts else None,
        coefficients=coefficients if parts else None,
    ).in_image((size[0], size[1]), whole_pixels=False)
    return found[np.argsort(-found.scores, kind="stable")]
