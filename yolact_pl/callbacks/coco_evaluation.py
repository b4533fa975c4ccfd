"""COCO average precision of each validation, its files, and pictures of ground truth beside prediction."""

import logging
import math
from itertools import zip_longest
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.evaluation.coco_ap import CocoEvaluator
from yolact_pl.evaluation.metrics import AveragePrecision, CocoMetrics
from yolact_pl.evaluation.report import format_class_table, format_table, write_metrics, write_results
from yolact_pl.inference.drawing.draw import draw_detections, draw_targets
from yolact_pl.inference.drawing.gallery import gallery, side_by_side
from yolact_pl.results.detections import Detections
from yolact_pl.results.encoding import ImageResults
from yolact_pl.structures import Batch, ImageInfo

_log = logging.getLogger(__name__)
MIN_SHOWN_SCORE = 0.3


class CocoEvaluation(Callback):
    """Measures what `validation_step` returns against the data module's annotation file.

    Every rank encodes its own images; rank 0 counts all of them, each image once, and tells the others. Logs
    `val/mask_AP`, `val/box_AP` and their parts, prints the table, and writes the report into the folder.

    Args:
        folder: of the pictures and the report (`metrics.json`, `per_class.csv`, results in COCO's format).
        backend: who counts, see `CocoEvaluator`.
        num_pictures: how many images are drawn, ground truth beside prediction; the first ones.
    """

    def __init__(
        self, folder: str | Path, *, backend: str = "faster_coco_eval", num_pictures: int = 8
    ) -> None:
        self.folder = Path(folder)
        self.backend = backend
        self.num_pictures = num_pictures
        self.metrics: CocoMetrics | None = None
        self._evaluator: CocoEvaluator | None = None
        self._pictures: list[NDArray[np.uint8]] = []

    @property
    def mask_ap(self) -> float | None:
        """Of the last validation, 0..1; None without ground truth, and on other ranks than 0."""
        return None if self.metrics is None else self.metrics.mask.all

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = _data(trainer)
        if self._evaluator is None:
            self._evaluator = CocoEvaluator(
                data.val_annotations,
                data.category_ids,
                data.classes,
                backend=self.backend,
                image_ids=data.val_image_ids,
                rows=data.val_rows,
            )
        self._evaluator.reset()
        self._pictures = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        assert self._evaluator is not None
        images, targets = batch
        for image, target, detections in zip(images, targets, outputs["detections"], strict=True):
            self._evaluator.add(target["image_id"], detections)
            if trainer.is_global_zero and len(self._pictures) < self.num_pictures:
                pixels = _original(image, target)
                self._pictures.append(_picture(pixels, detections, _data(trainer), target["image_id"]))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self._evaluator is not None
        rows = _gather(self._evaluator.rows, trainer)
        numbers: list[dict[str, float]] = [{}]
        if trainer.is_global_zero:
            numbers = [self._report(rows, trainer)]
        if trainer.world_size > 1:
            torch.distributed.broadcast_object_list(numbers, src=0)
        pl_module.log_dict(numbers[0], batch_size=1, sync_dist=True)

    def _report(self, rows: list[ImageResults], trainer: Trainer) -> dict[str, float]:
        """Count, print, write; rank 0 only."""
        assert self._evaluator is not None
        self._show_pictures(trainer)
        write_results(rows, self.folder)
        if not self._evaluator.has_ground_truth:
            _log.info("no ground truth: only results were written to %s", self.folder)
            return {}
        # On the images that were looked at: fewer than the file's with max_images or limit_val_batches.
        self.metrics = self._evaluator.evaluate(rows, image_ids=[row.image_id for row in rows])
        write_metrics(self.metrics, self.folder)
        _log.info("%s", format_table(self.metrics))
        if math.isnan(self.metrics.mask.all):
            _log.warning("no object is on the %d images, so that AP says nothing", self.metrics.num_images)
        if trainer.state.fn == "validate":
            _log.info("%s", format_class_table(self.metrics))
        return {**_named("box", self.metrics.box), **_named("mask", self.metrics.mask)}

    @rank_zero_only
    def _show_pictures(self, trainer: Trainer) -> None:
        if not self._pictures:
            return
        picture = gallery(self._pictures, columns=2)
        self.folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(self.folder / "validation.jpg"), picture[..., ::-1])
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("validation", picture, trainer.global_step, dataformats="HWC")


def _original(image: torch.Tensor, info: ImageInfo) -> NDArray[np.uint8]:
    """The image of an input [3, H, W] at its own size, [height, width, 3]."""
    height, width = info["size"]
    pixels = image.permute(1, 2, 0).byte().cpu().numpy()
    if "placement" in info:
        _, top, left, h, w = info["placement"]
        pixels = pixels[top : top + h, left : left + w]
    return np.asarray(cv2.resize(pixels, (width, height)), np.uint8)


def _data(trainer: Trainer) -> CocoDataModule:
    data = getattr(trainer, "datamodule", None)
    assert isinstance(data, CocoDataModule)
    return data


def _named(kind: str, precision: AveragePrecision) -> dict[str, float]:
    return {
        f"val/{kind}_AP": precision.all,
        f"val/{kind}_AP50": precision.at_iou[50],
        f"val/{kind}_AP75": precision.at_iou[75],
        f"val/{kind}_AP_S": precision.small,
        f"val/{kind}_AP_M": precision.medium,
        f"val/{kind}_AP_L": precision.large,
    }


def _picture(
    image: NDArray[np.uint8], detections: Detections, data: CocoDataModule, image_id: int
) -> NDArray[np.uint8]:
    prediction = draw_detections(image, detections[detections.scores >= MIN_SHOWN_SCORE], data.classes)
    return side_by_side(draw_targets(image, data.val_target(image_id), data.classes), prediction)


def _gather(rows: list[ImageResults], trainer: Trainer) -> list[ImageResults]:
    """On rank 0 the rows of all ranks, in the order of the data set: `ShareSampler` dealt it out in turn."""
    if trainer.world_size == 1:
        return rows
    shares: list[Any] = [[] for _ in range(trainer.world_size)]
    torch.distributed.gather_object(rows, shares if trainer.is_global_zero else None, dst=0)
    return [row for turn in zip_longest(*shares) for row in turn if row is not None]
