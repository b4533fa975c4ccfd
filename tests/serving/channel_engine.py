"""An engine whose prototypes are the color channels of the image, and whose objects are its colored areas."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from yolact_pl.images.placement import Placement, Resize
from yolact_pl.inference.measuring.timing import Meter
from yolact_pl.inference.model import Model
from yolact_pl.inference.options import Request
from yolact_pl.inference.predictor import Predictor
from yolact_pl.results.detections import Detections
from yolact_pl.results.input_detections import InputDetections

SIDE, STRIDE = 128, 4
CLASS_NAMES = ("red", "green", '<img src=x onerror="document.title=1">')
CATEGORY_IDS = (3, 7, 9)
SCORES = (0.9, 0.8, 0.7)
SECOND = 0.35
"""By how much the second candidate of an object scores less."""
COEFFICIENTS = np.float32([[20, -10, -10, -8], [-10, 20, -10, -8], [-10, -10, 20, -8]])


class ChannelEngine:
    """Red, green and blue areas, each with a second box that is moved a little and scores less."""

    name, precision, device = "channels", "float32", "cpu"
    num_classes, score_threshold = 3, 0.05
    usual = Request(nms="cross_class", iou_threshold=0.5)
    meter = Meter()

    def check(self, request: Request) -> None:
        if request.nms == "exact":
            raise ValueError("this engine has no exact NMS")

    def prepare(self, images: Sequence[np.ndarray], placements: Sequence[Placement]) -> Any:
        inputs = np.zeros((len(images), SIDE, SIDE, 3), dtype=np.uint8)
        for canvas, image, place in zip(inputs, images, placements, strict=True):
            resized = cv2.resize(image, (place.width, place.height), interpolation=cv2.INTER_AREA)
            canvas[place.top : place.top + place.height, place.left : place.left + place.width] = resized
        return inputs

    def forward(self, inputs: Sequence[Any]) -> Any:
        return np.concatenate(list(inputs))

    def detect(
        self, outputs: Any, index: int, size: tuple[int, int], placement: Placement | None, request: Request
    ) -> Detections:
        small = cv2.resize(outputs[index], (SIDE // STRIDE, SIDE // STRIDE), interpolation=cv2.INTER_AREA)
        channels = small.transpose(2, 0, 1).astype(np.float32) / 255
        prototypes = np.concatenate((channels, np.ones_like(channels[:1])))
        rows = []
        for label in range(3):
            logits = np.tensordot(COEFFICIENTS[label], prototypes, 1)
            x, y, width, height = cv2.boundingRect((logits > 0).astype(np.uint8))
            if width:
                box = np.array([x, y, x + width, y + height]) * STRIDE
                rows += [
                    (SCORES[label], label, box),
                    (SCORES[label] - SECOND, label, box + [width // 6 * STRIDE, 0] * 2),
                ]
        rows = _suppressed(sorted(rows, key=lambda row: -row[0]), request)
        coefficients = COEFFICIENTS[[label for _, label, _ in rows]].reshape(-1, 4)
        logits = np.tensordot(coefficients, prototypes, 1)
        scores = np.array([score for score, _, _ in rows], dtype=np.float32)
        return InputDetections(
            boxes=np.array([box for _, _, box in rows], dtype=np.float32).reshape(-1, 4),
            scores=scores,
            mask_scores=scores,
            labels=np.array([label for _, label, _ in rows], dtype=np.int64),
            masks=1 / (1 + np.exp(-logits)),
            input_size=(SIDE, SIDE),
            prototypes=prototypes if request.parts else None,
            coefficients=coefficients if request.parts else None,
        ).in_image(size, placement)


def _suppressed(rows: list[Any], request: Request) -> list[Any]:
    """Fast NMS over all classes, and the request's other options, as a loop."""
    kept = []
    for k, (score, label, box) in enumerate(rows):
        alone = all(_iou(box, better) <= request.iou_threshold for _, _, better in rows[:k])
        wanted = request.labels is None or label in request.labels
        if alone and wanted and score > (request.min_score or 0):
            kept.append((score, label, box))
    return kept[: request.top_k]


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    inner = float(np.prod(np.maximum(sides, 0)))
    return inner / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - inner)


def channel_model() -> Model:
    predictor = Predictor(ChannelEngine(), class_names=CLASS_NAMES, resize=Resize("letterbox", (SIDE, SIDE)))
    return Model(predictor.with_options(min_score=0.3), CATEGORY_IDS)


def colored_picture(size: tuple[int, int] = (240, 320)) -> np.ndarray:
    """uint8 [H, W, 3]: a red disc at the left, a green rectangle at the right, a blue one below."""
    height, width = size
    picture = np.full((height, width, 3), 16, dtype=np.uint8)
    cv2.circle(picture, (width // 4, height // 3), height // 5, (255, 0, 0), -1)
    cv2.rectangle(picture, (width // 2, height // 8), (width * 7 // 8, height // 2), (0, 255, 0), -1)
    cv2.rectangle(picture, (width // 3, height * 2 // 3), (width * 3 // 4, height * 7 // 8), (0, 0, 255), -1)
    return picture
