"""The numbers of COCO's average precision."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IOU_PERCENT = tuple(range(50, 100, 5))


@dataclass(frozen=True)
class ClassPrecision:
    """Average precision of one class, 0..1; nan if the evaluated images have no object of it."""

    name: str
    ap: float
    ap50: float


@dataclass(frozen=True)
class AveragePrecision:
    """COCO's numbers for boxes or for masks, 0..1; nan where there is no object to find."""

    all: float
    """Mean over the classes and the thresholds .50, .55 ... .95."""
    at_iou: dict[int, float]
    """At each threshold, in percent: 50, 55 ... 95."""
    small: float
    """Objects below 32 x 32 pixels; medium: up to 96 x 96; large: above."""
    medium: float
    large: float
    recall: float
    """Average recall with up to 100 detections an image."""
    per_class: tuple[ClassPrecision, ...]


@dataclass(frozen=True)
class CocoMetrics:
    """Average precision of boxes and of masks, and the number of images that it was measured on."""

    box: AveragePrecision
    mask: AveragePrecision
    num_images: int


def summarize(
    precision: NDArray[np.float64], recall: NDArray[np.float64], class_names: Sequence[str]
) -> AveragePrecision:
    """Average COCO's tables.

    Args:
        precision: [10 IoUs, 101 recalls, C, 4 areas], -1 where a class has no objects of that area.
        recall: [10 IoUs, C, 4 areas], likewise.
        class_names: C names.
    """
    everything = precision[..., 0]
    return AveragePrecision(
        all=_mean(everything),
        at_iou={iou: _mean(everything[i]) for i, iou in enumerate(IOU_PERCENT)},
        small=_mean(precision[..., 1]),
        medium=_mean(precision[..., 2]),
        large=_mean(precision[..., 3]),
        recall=_mean(recall[..., 0]),
        per_class=tuple(
            ClassPrecision(name, ap=_mean(everything[:, :, c]), ap50=_mean(everything[0, :, c]))
            for c, name in enumerate(class_names)
        ),
    )


def _mean(values: NDArray[np.float64]) -> float:
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else math.nan
