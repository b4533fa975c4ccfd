"""Detections and ground truth drawn on their image: filled masks with outlines, boxes and labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Literal, get_args

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from yolact_pl.inference.drawing.colors import Color, index_color
from yolact_pl.inference.drawing.label_places import Rectangle, label_place
from yolact_pl.inference.drawing.labels import draw_chip, shorten, text_coverage
from yolact_pl.results.detections import Detections
from yolact_pl.results.masks import Patch, PixelMasks, SoftMasks

if TYPE_CHECKING:
    from yolact_pl.structures import Target

ColorBy = Literal["class", "instance", "track"]

LABELED_PART = 0.25
"""Of an image's area, which its labels may cover together: of 100 x 100 pixels with four words the most."""


@dataclass(frozen=True)
class _Object:
    """One thing to draw."""

    mask: Patch
    box: Rectangle
    color: Color
    name: str
    suffix: str
    filled: bool = True


def draw_detections(
    image: NDArray[np.uint8],
    detections: Detections,
    class_names: Sequence[str],
    *,
    color_by: ColorBy = "class",
    alpha: float = 0.45,
    boxes: bool = True,
    labels: bool = True,
) -> NDArray[np.uint8]:
    """A copy of the image with what was found in it.

    Args:
        image: [H, W, 3] RGB, the one that the detections' masks and boxes belong to.
        detections: of the image.
        class_names: one for each label.
        color_by: "class": the same color for the same class in every picture; "instance": by rank; "track":
            the same color for the same object in every frame.
        alpha: how much a mask covers, 0 to 1.
        boxes: whether boxes are drawn.
        labels: whether class and score are written, and the number of a tracked object.

    Coasting objects are outlined, not filled.

    Raises:
        ValueError: the masks are not of the image's size, or an option is out of its range; tracks of
            detections that are not tracked.
    """
    if color_by not in get_args(ColorBy):
        raise ValueError(f"color_by={color_by!r}: expected class, instance or track")
    if color_by == "track" and detections.tracker_ids is None:
        raise ValueError("color_by=track: these detections are not tracked; give class or instance")
    if not (isinstance(alpha, Real) and 0 <= alpha <= 1):
        raise ValueError(f"alpha={alpha!r}: expected a number from 0 to 1")
    coasting = [False] * len(detections) if detections.coasting is None else detections.coasting.tolist()
    scores: list[float] = detections.scores.tolist()
    suffixes = ["coasting" if c else f"{score:.2f}" for c, score in zip(coasting, scores, strict=True)]
    objects = _objects(image, detections, class_names, suffixes, color_by)
    return _draw(image, objects, alpha=alpha, boxes=boxes, labels=labels)


def draw_targets(
    image: NDArray[np.uint8],
    target: "Target",
    class_names: Sequence[str],
    *,
    color_by: ColorBy = "class",
    alpha: float = 0.45,
    boxes: bool = True,
    labels: bool = True,
) -> NDArray[np.uint8]:
    """A copy of the image with its ground truth; arguments as for `draw_detections`.

    The target's boxes must be in pixels of this image; its masks may have any resolution.
    """
    suffixes = ["(crowd)" if crowd else "" for crowd in target["iscrowd"].tolist()]
    masks, size = np.asarray(target["masks"]), (image.shape[0], image.shape[1])
    same = masks.shape[1:] == size
    shown = PixelMasks.of(masks.astype(np.bool_)) if same else SoftMasks.of(masks.astype(np.float32), size)
    scores = np.zeros(len(masks), dtype=np.float32)
    truth = Detections(np.asarray(target["boxes"]), scores, scores, np.asarray(target["labels"]), shown)
    objects = _objects(image, truth, class_names, suffixes, color_by)
    return _draw(image, objects, alpha=alpha, boxes=boxes, labels=labels)


def _objects(
    image: NDArray[np.uint8],
    detections: Detections,
    class_names: Sequence[str],
    suffixes: Sequence[str],
    color_by: ColorBy,
) -> list[_Object]:
    height, width = image.shape[:2]
    if len(detections) and detections.size != (height, width):
        raise ValueError(
            f"the masks are {detections.size[1]}x{detections.size[0]} pixels but the image is "
            f"{width}x{height}: draw on the image that was given to the predictor"
        )
    corners = detections.boxes.astype(np.float64)
    limit = np.array([width, height])
    first = np.clip(np.floor(corners[:, :2]), 0, limit - 1).astype(int)
    end = np.maximum(np.clip(np.ceil(corners[:, 2:]), 0, limit).astype(int), first + 1)
    classes: list[int] = detections.labels.tolist()
    names, colors = [class_names[label] for label in classes], classes
    if color_by == "instance":
        colors = list(range(len(classes)))
    if detections.tracker_ids is not None:
        numbers: list[int] = detections.tracker_ids.tolist()
        names = [f"#{number} {name}" for name, number in zip(names, numbers, strict=True)]
        colors = numbers if color_by == "track" else colors
    coasting = detections.coasting
    return [
        _Object(
            mask=detections.mask_patch(i),
            box=(int(first[i, 0]), int(first[i, 1]), int(end[i, 0]), int(end[i, 1])),
            color=index_color(colors[i]),
            name=names[i],
            suffix=suffixes[i],
            filled=coasting is None or not coasting[i],
        )
        for i in range(len(classes))
    ]


def _draw(
    image: NDArray[np.uint8], objects: list[_Object], *, alpha: float, boxes: bool, labels: bool
) -> NDArray[np.uint8]:
    """Large objects come first, so that small ones on them stay visible; colors of masks do not mix."""
    line, font_size = _line_width(image), _font_size(image)
    large_first = sorted(objects, key=lambda thing: -_box_area(thing.box))
    outlines = [_contours(thing.mask) for thing in large_first]

    solid = np.array(image, order="C")
    for thing, contours in zip(large_first, outlines, strict=True):
        if thing.filled:
            cv2.drawContours(solid, contours, -1, thing.color, cv2.FILLED)
    out = np.asarray(cv2.addWeighted(image, 1 - alpha, solid, alpha, 0, dst=solid), dtype=np.uint8)

    for thing, contours in zip(large_first, outlines, strict=True):
        cv2.drawContours(out, contours, -1, thing.color, line)
        if boxes:
            x1, y1, x2, y2 = thing.box
            cv2.rectangle(out, (x1, y1), (x2 - 1, y2 - 1), thing.color, max(1, line - 1))
    if labels:
        _draw_labels(out, objects, font_size)
    return out


def _line_width(image: NDArray[np.uint8]) -> int:
    height, width = image.shape[:2]
    return max(1, round(0.55 + (height * width) ** 0.5 / 550))


def _font_size(image: NDArray[np.uint8]) -> int:
    height, width = image.shape[:2]
    return round(7 + (height * width) ** 0.5 / 90)


def _box_area(box: Rectangle) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _contours(mask: Patch) -> Sequence[MatLike]:
    """Outlines of all parts and holes of a mask."""
    if mask.pixels.size == 0:
        return ()
    pixels, offset = mask.pixels.view(np.uint8), (mask.x, mask.y)
    return cv2.findContours(pixels, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=offset)[0]


def _draw_labels(image: NDArray[np.uint8], objects: list[_Object], font_size: int) -> None:
    """Write the labels, best first; left out is what would hide others, or too much of a small image."""
    height, width = image.shape[:2]
    room = LABELED_PART * height * width
    max_width = min(width, max(width * 2 // 5, 16 * font_size))
    taken: list[Rectangle] = []
    for thing in objects:
        text = shorten(thing.name, thing.suffix, font_size, max_width)
        if not text:
            continue
        h, w = text_coverage(text, font_size).shape
        place = label_place((h, w), thing.box, (height, width), taken) if h * w <= room else None
        if place is not None:
            room -= h * w
            taken.append(place)
            draw_chip(image, text, place[:2], thing.color, font_size)
