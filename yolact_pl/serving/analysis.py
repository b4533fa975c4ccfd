"""What the page needs of an image to draw, explain and correct masks by itself."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolact_pl.results.detections import Detections

MAX_CANDIDATES = 300


def analysis(
    found: Detections,
    *,
    input_size: tuple[int, int],
    class_names: Sequence[str],
    category_ids: Sequence[int],
    iou_threshold: float,
) -> dict[str, Any]:
    """Plain values for json.

    Args:
        found: candidates of an image, with their parts.
        input_size: (height, width) of the network's input; the unit of `place`.
        class_names: by label.
        category_ids: by label.
        iou_threshold: candidates that overlap a better one by more have been dropped; 1: none.

    Returns:
        `size`, `input_size`, `place` of the image on the input (top, left, height, width), `class_names`,
        `category_ids`, `iou_threshold`, `prototypes` (see `_prototypes`), and `objects`: `boxes` [N, 4] xyxy
        in pixels of the image, which may reach outside of it, `scores`, `mask_scores`, `labels` and
        `coefficients` [N, K].
    """
    parts = found.parts
    assert parts is not None
    left, top, right, bottom = parts.place
    start = np.array([left, top] * 2)
    length = np.array([right - left, bottom - top] * 2)
    boxes = (parts.boxes - start) / length * np.array([*found.size[::-1]] * 2)
    height, width = input_size
    return {
        "size": list(found.size),
        "input_size": [height, width],
        "place": {
            "top": top * height,
            "left": left * width,
            "height": (bottom - top) * height,
            "width": (right - left) * width,
        },
        "class_names": list(class_names),
        "category_ids": list(category_ids),
        "iou_threshold": iou_threshold,
        "prototypes": _prototypes(parts.prototypes),
        "objects": {
            "boxes": boxes.round(3).tolist(),
            "scores": _rounded(found.scores),
            "mask_scores": _rounded(found.mask_scores),
            "labels": found.labels.tolist(),
            "coefficients": _rounded(parts.coefficients),
        },
    }


def _prototypes(prototypes: NDArray[np.float32]) -> dict[str, Any]:
    """[K, h, w] in 8 bits: value = low[k] + byte / 255 x (high[k] - low[k])."""
    low = prototypes.min(axis=(1, 2), keepdims=True)
    high = prototypes.max(axis=(1, 2), keepdims=True)
    span = np.where(high > low, high - low, 1)
    levels = np.rint((prototypes - low) / span * 255).astype(np.uint8)
    return {
        "shape": list(prototypes.shape),
        "data": base64.b64encode(levels.tobytes()).decode("ascii"),
        "low": low.ravel().tolist(),
        "high": high.ravel().tolist(),
    }


def _rounded(values: NDArray[np.float32]) -> list[Any]:
    return values.astype(np.float64).round(5).tolist()
