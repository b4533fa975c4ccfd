"""Measurement of a network as prediction uses it."""

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig
from pytorch_lightning import LightningModule

from yolact_pl.callbacks.coco_evaluation import CocoEvaluation
from yolact_pl.callbacks.report_page import ReportFacts, ReportPage
from yolact_pl.config.build import build, image_size, resize_mode
from yolact_pl.config.trained import Trained
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.inference.engines.torch_engine import torch_predictor
from yolact_pl.inference.predictor import Predictor
from yolact_pl.results.detections import Detections
from yolact_pl.structures import ImageInfo
from yolact_pl.training.trainer import build_callbacks, build_trainer

_TILES = (
    "Masks were put together from tiles, each with prototypes of its own. Without tile=, this section "
    "says which part of the network failed."
)


class MeasuredPredictor(LightningModule):
    """A predictor as Lightning validates it.

    Args:
        build_predictor: called with `device=` by each process.
        tile: side of the tiles in pixels; None: whole images.
        overlap: the part of a tile that it shares with the next one.
        parts: whether detections get their `parts`, where the engine has them.
    """

    def __init__(
        self,
        build_predictor: Callable[..., Predictor],
        *,
        tile: int | None,
        overlap: float,
        parts: bool = False,
    ) -> None:
        super().__init__()
        self.build_predictor = build_predictor
        self.tile = tile
        self.overlap = overlap
        self.parts = parts and tile is None
        self.why_no_parts = "" if tile is None else _TILES
        """A sentence, where detections have no `parts` though asked for."""
        self.predictor: Predictor | None = None
        self._seconds: list[float] = []

    def setup(self, stage: str) -> None:
        self.predictor = self.build_predictor(device=self.trainer.strategy.root_device)
        if self.parts:
            try:
                self.predictor = self.predictor.with_parts()
            except ValueError as error:
                self.why_no_parts = str(error)

    @property
    def conditions(self) -> dict[str, Any]:
        """What is measured, for the tables."""
        assert self.predictor is not None
        engine = self.predictor.engine
        tiles = {} if self.tile is None else {"tile": self.tile, "overlap": self.overlap}
        return {"engine": engine.name, "precision": engine.precision, "device": engine.device, **tiles}

    @property
    def measured(self) -> dict[str, Any]:
        """The same with all options, time and machine, for the report."""
        assert self.predictor is not None
        request, engine = self.predictor.request, self.predictor.engine
        return {
            **self.conditions,
            "image_size": list(self.predictor.image_size),
            "resize": self.predictor.resize.mode,
            "nms": request.nms,
            "iou_threshold": request.iou_threshold,
            "score_threshold": engine.score_threshold,
            "milliseconds_per_image": round(1000 * float(np.median(self._seconds)), 2),
            "machine": dict(engine.meter.describe()),
        }

    def validation_step(
        self, batch: tuple[list[NDArray[np.uint8]], list[ImageInfo]], batch_idx: int
    ) -> dict[str, list[Detections]]:
        assert self.predictor is not None
        images, _ = batch
        start = time.perf_counter()
        if self.tile is None:
            found = self.predictor(images)
        else:
            found = [self.predictor.tiled(image, tile=self.tile, overlap=self.overlap) for image in images]
        self._seconds += [(time.perf_counter() - start) / len(images)] * len(images)
        return {"detections": found}


class Subject(NamedTuple):
    """What is measured, and on what."""

    path: Path
    data: CocoDataModule
    build_predictor: Callable[..., Predictor]
    """Called with `device=` by each process."""


def checkpoint_subject(trained: Trained, data: CocoDataModule, *, half: bool = False) -> Subject:
    """A checkpoint; `half`: its network computes in 16 bits."""
    build_predictor = functools.partial(
        torch_predictor,
        trained.network,
        build(trained.cfg.model.postprocess),
        class_names=trained.class_names,
        image_size=image_size(trained.cfg),
        resize=resize_mode(trained.cfg),
        half=half,
    )
    return Subject(trained.path, data, build_predictor)


def measure(
    cfg: DictConfig,
    subject: Subject,
    *,
    tile: int | None = None,
    overlap: float = 0.0,
    facts: ReportFacts | None = None,
) -> CocoEvaluation:
    """Measure on the validation set, by a Trainer of its own.

    Args:
        cfg: of the run: trainer, callbacks, output.
        subject: what to measure.
        tile: see `MeasuredPredictor`.
        overlap: likewise.
        facts: for a report, which is written then.

    Returns:
        The evaluation with its numbers.
    """
    subject.data.decode_only = True
    wanted = {name: node for name, node in build_callbacks(cfg).items() if name in ("evaluation", "progress")}
    evaluation, callbacks = wanted["evaluation"], list(wanted.values())
    assert isinstance(evaluation, CocoEvaluation)
    if facts is not None:
        evaluation.boundaries = True
        callbacks.insert(callbacks.index(evaluation) + 1, ReportPage(evaluation, facts))
    trainer = build_trainer(cfg, callbacks, precision="32-true")  # `half` is the predictor's own
    module = MeasuredPredictor(subject.build_predictor, tile=tile, overlap=overlap, parts=facts is not None)
    trainer.validate(module, datamodule=subject.data, verbose=False)
    return evaluation
