"""COCO's average precision as values."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IOU_PERCENT = tuple(range(50, 100, 5))


class ClassPrecision(NamedTuple):
    """Average precision of one class, 0..1; nan if the evaluated images have no object of it."""

    name: str
    ap: float
    ap50: float


class AveragePrecision(NamedTuple):
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
    """Average recall with up to 100 detections per image."""
    per_class: tuple[ClassPrecision, ...]


class CocoMetrics(NamedTuple):
    """Average precision of boxes and of masks, and the number of images that it was measured on."""

    box: AveragePrecision
    mask: AveragePrecision
    num_images: int

    def scalars(self, prefix: str = "") -> dict[str, float]:
        """The main numbers as `box_AP`, `mask_AP50`, ..., for a logger; those that are nan are left out."""
        numbers = {
            f"{prefix}{kind}_AP{suffix}": value
            for kind, ap in (("box", self.box), ("mask", self.mask))
            for suffix, value in (
                ("", ap.all),
                ("50", ap.at_iou[50]),
                ("75", ap.at_iou[75]),
                ("_S", ap.small),
                ("_M", ap.medium),
                ("_L", ap.large),
            )
        }
        return {name: value for name, value in numbers.items() if not math.isnan(value)}


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
