"""COCO AP, confusion matrix, result files and pictures of each validation."""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.evaluation.coco_ap import CocoAveragePrecision
from yolact_pl.evaluation.confusion_matrix import SCORE_THRESHOLD, confusion_matrix
from yolact_pl.evaluation.matching.average_precision import average_precision
from yolact_pl.evaluation.matching.image_matches import ImageMatches
from yolact_pl.evaluation.matching.metric import DetectionMatches
from yolact_pl.evaluation.matching.set_matches import SetMatches
from yolact_pl.evaluation.metrics import AveragePrecision, CocoMetrics
from yolact_pl.evaluation.report import (
    format_class_table,
    format_table,
    write_confusion_matrix,
    write_metrics,
    write_results,
)
from yolact_pl.inference.drawing.draw import draw_detections, draw_targets
from yolact_pl.inference.drawing.gallery import gallery, side_by_side
from yolact_pl.report.figures import evaluation_figures
from yolact_pl.results.detections import Detections
from yolact_pl.results.encoding import ImageResults
from yolact_pl.structures import ImageInfo

_log = logging.getLogger(__name__)
FIGURE_SHARE = 0.05
"""Of a validation's time that figures may take."""
FIGURE_SECONDS = 0.3
"""That they are expected to take the first time."""


class CocoEvaluation(Callback):
    """Measures what `validation_step` returns against the data module's annotations.

    Every rank encodes its own images; rank 0 measures all of them, each image once, and sends the result to
    the others. Logs `val/mask_AP`, `val/box_AP` and their parts, prints the table, and writes the report.
    What the module says in an attribute `conditions`, such as {"precision": "float32"}, heads the report.

    Undefined numbers are not logged. Where only a part of the set is validated and shows no object, AP is
    logged as 0, since callbacks that monitor it need a number.

    Args:
        folder: of the pictures and the report (`metrics.json`, `per_class.csv`, `confusion_matrix.csv`,
            results in COCO's format).
        backend: the library that counts, see `CocoAveragePrecision`.
        num_pictures: how many images are drawn, ground truth beside prediction; the first ones.
        boundaries: measure boundary AP too, which takes longer.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        backend: str = "faster_coco_eval",
        num_pictures: int = 8,
        boundaries: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.backend = backend
        self.num_pictures = num_pictures
        self.boundaries = boundaries
        self.metrics: CocoMetrics | None = None
        """Of the last validation; None without ground truth."""
        self.boundary: AveragePrecision | None = None
        """Of the last validation on the first rank, where boundaries are measured."""
        self.results: list[ImageResults] = []
        """Of the last validation, all images; on the first rank only."""
        self.batch_matches: Sequence[ImageMatches] = ()
        """Of the last batch, on this rank."""
        self.matches: SetMatches | None = None
        """Of the last validation; on the first rank only."""
        self._ap: CocoAveragePrecision | None = None
        self._matches: DetectionMatches | None = None
        self._pictures: list[NDArray[np.uint8]] = []
        self._started = 0.0
        self._figure_seconds = FIGURE_SECONDS

    @property
    def mask_ap(self) -> float | None:
        """Of the last validation, 0..1; None where it is undefined."""
        return None if self.metrics is None or math.isnan(self.metrics.mask.all) else self.metrics.mask.all

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._ap is None or self._matches is None:
            known = _data(trainer).val_annotations
            # Not synchronised by `compute`: only the first rank needs the rows of all ranks.
            self._ap = CocoAveragePrecision(known, backend=self.backend, sync_on_compute=False)
            self._matches = DetectionMatches(
                known,
                ground_truth=self._ap.ground_truth,
                boundary=self.boundaries,
                sync_on_compute=False,
            )
        self._ap.reset()
        self._matches.reset()
        self._pictures = []
        self._started = time.perf_counter()

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: tuple[Any, list[ImageInfo]],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        assert self._ap is not None
        assert self._matches is not None
        images, infos = batch
        detections = outputs["detections"]
        self._ap.update([info["image_id"] for info in infos], detections)
        self._matches.update(self._ap.rows[-len(infos) :])
        self.batch_matches = self._matches.rows[-len(infos) :]
        if trainer.is_global_zero:
            missing = self.num_pictures - len(self._pictures)
            for image, info, found in islice(zip(images, infos, detections, strict=True), missing):
                pixels = _original(image, info)
                self._pictures.append(_picture(pixels, found, _data(trainer), info["image_id"]))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self._ap is not None
        assert self._matches is not None
        self._show_pictures(trainer)
        self._ap.sync()
        self._matches.sync()
        if trainer.is_global_zero:
            write_results(self._ap.rows, self.folder)
            self.results = list(self._ap.rows)
            self.matches = self._matches.summarize(self._matches.rows)
        if not self._ap.annotations.has_ground_truth:
            rank_zero_only(_log.info)("no ground truth: only results were written to %s", self.folder)
            return
        metrics: CocoMetrics = self._ap.compute()
        self.metrics = metrics
        self._report(metrics, trainer, getattr(pl_module, "conditions", {}))
        if _data(trainer).num_val_objects:
            numbers = {"val/box_AP": 0.0, "val/mask_AP": 0.0} | metrics.scalars("val/")
            pl_module.log_dict(numbers, batch_size=1, sync_dist=True)

    @rank_zero_only
    def _report(self, metrics: CocoMetrics, trainer: Trainer, conditions: Mapping[str, Any]) -> None:
        """Print and write."""
        assert self.matches is not None
        if self.boundaries:
            self.boundary = average_precision(self.matches, "boundary")
        write_metrics(metrics, self.folder, conditions)
        write_confusion_matrix(confusion_matrix(self.matches), _data(trainer).classes, self.folder)
        if conditions:
            _log.info("%s\n", ", ".join(f"{name} {value}" for name, value in conditions.items()))
        _log.info("%s", format_table(metrics, self.boundary))
        if math.isnan(metrics.mask.all):
            _log.warning("no object is on the %d images, so that AP says nothing", metrics.num_images)
        if trainer.state.fn == "validate":
            _log.info("%s", format_class_table(metrics))
        self._show_figures(trainer)

    @rank_zero_only
    def _show_pictures(self, trainer: Trainer) -> None:
        if not self._pictures:
            return
        picture = gallery(self._pictures, columns=2)
        self.folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(self.folder / "validation.jpg"), picture[..., ::-1])
        _log_pictures(trainer, {"validation": picture})

    def _show_figures(self, trainer: Trainer) -> None:
        """In TensorBoard; left out where drawing takes more than `FIGURE_SHARE` of the validation's time."""
        start = time.perf_counter()
        too_long = self._figure_seconds > FIGURE_SHARE * (start - self._started)
        wanted = any(isinstance(logger, TensorBoardLogger) for logger in trainer.loggers)
        if too_long or not wanted or trainer.sanity_checking:
            return
        assert self.matches is not None
        _log_pictures(trainer, evaluation_figures(self.matches))
        self._figure_seconds = time.perf_counter() - start


def _log_pictures(trainer: Trainer, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            for name, picture in pictures.items():
                logger.experiment.add_image(name, picture, trainer.global_step, dataformats="HWC")


def _original(image: Tensor | NDArray[np.uint8], info: ImageInfo) -> NDArray[np.uint8]:
    """The image at its own size, [height, width, 3]: as decoded, or of an input [3, H, W]."""
    if isinstance(image, np.ndarray):
        return image
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


def _picture(
    image: NDArray[np.uint8], detections: Detections, data: CocoDataModule, image_id: int
) -> NDArray[np.uint8]:
    prediction = draw_detections(image, detections[detections.scores > SCORE_THRESHOLD], data.classes)
    return side_by_side(draw_targets(image, data.val_target(image_id), data.classes), prediction)
