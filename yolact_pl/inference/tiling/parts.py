"""What was found in one view of a large picture, small enough to keep until all views have been seen."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yolact_pl.geometry.masks import upsample_masks
from yolact_pl.inference.drawing.label_places import Rectangle
from yolact_pl.structures import Detections

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2."""

CUT_MARGIN = 0.01
"""Of the view's longer side: a box seldom ends just where its object is cut."""
MIN_CUT_MARGIN = 2.0  # pixels


@dataclass(frozen=True)
class Part:
    """An object as one view shows it, in pixels of the whole picture."""

    box: Box
    score: float
    mask_score: float
    label: int
    mask: NDArray[np.bool_]
    """[h, w]: only the rectangle that it fills, [0, 0] for an empty one."""
    place: Rectangle
    """Of that rectangle."""
    view: Rectangle
    """What could be seen."""
    cut: bool
    """Whether it reaches a border of the view behind which the picture goes on."""


def detected_parts(detections: Detections, view: Rectangle, size: tuple[int, int]) -> list[Part]:
    """The detections of one view as parts of the picture.

    Args:
        detections: in pixels of the image of the view; its masks tell how large that was.
        view: what the image shows of the picture.
        size: (height, width) of the picture.
    """
    left, top, right, bottom = view
    shown = detections["masks"].shape[1:]
    scale_x, scale_y = (right - left) / shown[1], (bottom - top) / shown[0]
    masks = detections["masks"].cpu()
    boxes: list[list[float]] = detections["boxes"].tolist()
    scores, mask_scores = detections["scores"].tolist(), detections["mask_scores"].tolist()
    parts = []
    for i, label in enumerate(detections["labels"].tolist()):
        x1, y1, x2, y2 = boxes[i]
        box = (x1 * scale_x + left, y1 * scale_y + top, x2 * scale_x + left, y2 * scale_y + top)
        mask, (x, y) = _cut_out(masks[i], (bottom - top, right - left))
        place = (left + x, top + y, left + x + mask.shape[1], top + y + mask.shape[0])
        cut = _is_cut(box, view, size)
        parts.append(Part(box, scores[i], mask_scores[i], label, mask, place, view, cut))
    return parts


def as_detections(parts: list[Part], size: tuple[int, int]) -> Detections:
    """Parts in the given order, with masks of the picture's (height, width), on the CPU."""
    # Unlike torch's, numpy's zeros take memory only where something is written later.
    masks = np.zeros((len(parts), *size), dtype=np.bool_)
    for mask, part in zip(masks, parts, strict=True):
        x1, y1, x2, y2 = part.place
        mask[y1:y2, x1:x2] = part.mask
    return Detections(
        boxes=torch.tensor([part.box for part in parts], dtype=torch.float32).view(-1, 4),
        scores=torch.tensor([part.score for part in parts], dtype=torch.float32),
        mask_scores=torch.tensor([part.mask_score for part in parts], dtype=torch.float32),
        labels=torch.tensor([part.label for part in parts], dtype=torch.int64),
        masks=torch.from_numpy(masks),
    )


def _is_cut(box: Box, view: Rectangle, size: tuple[int, int]) -> bool:
    left, top, right, bottom = view
    margin = max(MIN_CUT_MARGIN, CUT_MARGIN * max(right - left, bottom - top))
    return (
        (left > 0 and box[0] < left + margin)
        or (top > 0 and box[1] < top + margin)
        or (right < size[1] and box[2] > right - margin)
        or (bottom < size[0] and box[3] > bottom - margin)
    )


def _cut_out(mask: Tensor, size: tuple[int, int]) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """The rectangle that a mask [h, w], enlarged to `size`, fills, and its first column and row."""
    x, y, width, height = cv2.boundingRect(mask.numpy().view(np.uint8))
    if width == 0:
        return np.zeros((0, 0), dtype=np.bool_), (0, 0)
    if mask.shape != size:
        grow_y, grow_x = size[0] / mask.shape[0], size[1] / mask.shape[1]
        window = torch.tensor([[x, y, x + width, y + height]])
        mask = upsample_masks(mask[None].float(), window, size)[0]  # touches only the window's memory
        x, width = int(x * grow_x), int(np.ceil((x + width) * grow_x)) - int(x * grow_x)
        y, height = int(y * grow_y), int(np.ceil((y + height) * grow_y)) - int(y * grow_y)
    return mask.numpy()[y : y + height, x : x + width].copy(), (x, y)
