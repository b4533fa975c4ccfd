"""The engine of exported models; needs no torch."""

from collections.abc import Sequence
from math import isclose
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.images.placement import Placement
from yolact_pl.images.resize import PADDING, resize_as_torch
from yolact_pl.inference.engines.session import Session
from yolact_pl.inference.exported.metadata import ExportError, ExportMetadata
from yolact_pl.inference.options import Request
from yolact_pl.results.detections import Detections
from yolact_pl.results.input_detections import InputDetections, mask_windows

FAR_AWAY = 1e7  # pixels: in place of infinity
AGAIN = "export the checkpoint again with"


class Outputs(NamedTuple):
    """Of a batch."""

    arrays: dict[str, NDArray[Any]]
    """By name, see `ExportMetadata`."""
    input_size: tuple[int, int]
    """(height, width)."""


class ExportedEngine:
    """An exported model with NMS inside, see `Engine`.

    Detections outside of an image's place on the input are dropped after NMS, by torch before.

    Args:
        session: the model file, opened.
        metadata: of the file.

    Raises:
        ExportError: the file has raw outputs.
    """

    def __init__(self, session: Session, metadata: ExportMetadata) -> None:
        if metadata.layout == "raw":
            raise ExportError(f"the file has layout=raw, without detections; {AGAIN} layout=detections")
        self.session = session
        self.metadata = metadata
        self.name = session.name
        self.precision = metadata.precision
        self.device = session.device
        self.num_classes = len(metadata.class_names)
        self.score_threshold = metadata.score_threshold
        self.usual = Request(nms=metadata.nms, iou_threshold=metadata.iou_threshold)
        self.meter = session.meter

    def check(self, request: Request) -> None:
        file = self.metadata
        if request.nms != file.nms:
            raise ValueError(
                f"nms={request.nms}: the file has nms={file.nms} inside; {AGAIN} nms={request.nms}"
            )
        if not isclose(request.iou_threshold, file.iou_threshold):
            raise ValueError(
                f"iou_threshold={request.iou_threshold}: the file has iou_threshold={file.iou_threshold} "
                f"inside; {AGAIN} iou_threshold={request.iou_threshold}"
            )
        if request.min_score is not None and request.min_score < file.score_threshold:
            raise ValueError(
                f"min_score={request.min_score}: the file drops scores up to {file.score_threshold}; {AGAIN} "
                f"score_threshold={request.min_score}"
            )
        if request.top_k is not None and request.top_k > file.max_detections:
            raise ValueError(
                f"top_k={request.top_k}: the file gives at most {file.max_detections} detections of an "
                f"image; {AGAIN} max_detections={request.top_k}"
            )
        if request.parts and file.layout != "coefficients":
            raise ValueError(f"the file has no prototypes among its outputs; {AGAIN} layout=coefficients")

    def prepare(self, images: Sequence[NDArray[np.uint8]], placements: Sequence[Placement]) -> NDArray[Any]:
        """See `placed_inputs`."""
        return placed_inputs(images, placements, self.metadata.input)

    def forward(self, inputs: Sequence[NDArray[Any]]) -> Outputs:
        batch = inputs[0] if len(inputs) == 1 else _joined(inputs)
        return Outputs(self.session.run(batch), batch.shape[1:3])

    def detect(
        self,
        outputs: Outputs,
        index: int,
        size: tuple[int, int],
        placement: Placement | None,
        request: Request,
    ) -> Detections:
        found = {name: array[index] for name, array in outputs.arrays.items()}
        boxes = np.nan_to_num(found["boxes"], nan=0.0, posinf=FAR_AWAY, neginf=-FAR_AWAY)
        shown = found["scores"] > (request.min_score or 0.0)  # rows of padding have 0
        if placement is not None:
            shown &= _touching(boxes, placement)
        if request.labels is not None:
            shown &= np.isin(found["labels"], sorted(request.labels))
        rows = np.flatnonzero(shown)[: request.top_k]
        detections = InputDetections(
            boxes=boxes[rows],
            scores=found["scores"][rows],
            mask_scores=found["mask_scores"][rows],
            labels=found["labels"][rows],
            masks=_soft_masks(_mask_logits(found, rows), boxes[rows], outputs.input_size),
            input_size=outputs.input_size,
        )
        if request.parts:
            coefficients = _numbers(found["coefficients"][rows])
            detections = detections._replace(
                prototypes=_numbers(found["prototypes"]), coefficients=coefficients
            )
        return detections.in_image(
            size,
            placement,
            whole_pixels=self.metadata.whole_pixel_boxes,
            refine_boxes=self.metadata.refine_boxes,
        )


def placed_inputs(
    images: Sequence[NDArray[np.uint8]], placements: Sequence[Placement], dtype: str
) -> NDArray[Any]:
    """The input of an exported file, [N, H, W, 3] of its type; for uint8 rounded."""
    size = tuple(max(placement.canvas[side] for placement in placements) for side in (0, 1))
    batch = np.empty((len(images), *size, 3), dtype=dtype)
    for one, image, place in zip(batch, images, placements, strict=True):
        if (place.height, place.width) != size:
            one[:] = PADDING
        pixels = resize_as_torch(image, (place.height, place.width))
        target = one[place.top : place.top + place.height, place.left : place.left + place.width]
        target[:] = np.rint(pixels, out=pixels) if batch.dtype == np.uint8 else pixels
    return batch


def _joined(inputs: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Batches as one, padded at the right and the bottom to the largest."""
    if len({one.shape[1:] for one in inputs}) == 1:
        return np.concatenate(inputs)
    height, width = (max(one.shape[side] for one in inputs) for side in (1, 2))
    batch = np.empty((sum(map(len, inputs)), height, width, 3), dtype=inputs[0].dtype)
    batch[:] = PADDING
    start = 0
    for one in inputs:
        batch[start : start + len(one), : one.shape[1], : one.shape[2]] = one
        start += len(one)
    return batch


def _touching(boxes: NDArray[np.float32], placement: Placement) -> NDArray[np.bool_]:
    """[N]: which boxes, in pixels of the input, share some area with the image's place."""
    corners = boxes.reshape(-1, 2, 2)
    low = np.maximum(corners.min(axis=1), (placement.left, placement.top))
    end = placement.left + placement.width, placement.top + placement.height
    high = np.minimum(corners.max(axis=1), end)
    return np.all(low < high, axis=1)


def _mask_logits(found: dict[str, NDArray[Any]], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """[N, h, w] of some rows."""
    if "masks" in found:
        return found["masks"][rows]
    prototypes = found["prototypes"]
    logits = found["coefficients"][rows] @ prototypes.reshape(len(prototypes), -1)
    return logits.reshape(len(rows), *prototypes.shape[1:])


def _soft_masks(
    logits: NDArray[np.float32], boxes: NDArray[np.float32], input_size: tuple[int, int]
) -> NDArray[np.float32]:
    """Masks [N, h, w] in 0..1, computed inside of the boxes, where they are used."""
    soft = np.zeros(logits.shape, dtype=np.float32)
    windows = mask_windows(boxes, input_size, logits.shape[1:])
    for mask, logit, (x1, y1, x2, y2) in zip(soft, logits, windows.tolist(), strict=True):
        mask[y1:y2, x1:x2] = 0.5 + 0.5 * np.tanh(0.5 * logit[y1:y2, x1:x2])  # the sigmoid, without overflow
    return soft


def _numbers(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Zero in place of nan and infinity."""
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
