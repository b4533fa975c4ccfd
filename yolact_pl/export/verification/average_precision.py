"""AP of torch and of an exported file on one validation set."""

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.evaluation.coco_ap import CocoAveragePrecision
from yolact_pl.inference.predictor import Predictor


def average_precision(
    predictor: Predictor,
    images: Iterable[tuple[int, NDArray[np.uint8]]],
    annotations: Annotations,
    advance: Callable[[], object],
) -> dict[str, float]:
    """Box and mask AP (0..1) of a predictor; 0 where no object is on the images.

    Args:
        predictor: with the options that it was exported with.
        images: id in the annotation file and uint8 [H, W, 3] RGB of each.
        annotations: with these images.
        advance: called after each image.
    """
    measured = CocoAveragePrecision(annotations)
    for image_id, image in images:
        measured.update([image_id], predictor([image]))
        advance()
    metrics = measured.compute()
    values = {"box": metrics.box.all, "mask": metrics.mask.all}
    return {kind: 0.0 if math.isnan(value) else value for kind, value in values.items()}


def decoded_images(data: CocoDataModule) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Id and pixels [H, W, 3] of each validation image, as it is on the disk."""
    data.decode_only = True
    for images, infos in data.val_dataloader():
        for image, info in zip(images, infos, strict=True):
            yield info["image_id"], image
