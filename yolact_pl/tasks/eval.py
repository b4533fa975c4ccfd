"""task=eval"""

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.callbacks.coco_evaluation import CocoEvaluation
from yolact_pl.config.build import build, image_size, resize_mode
from yolact_pl.config.exported import load_exported
from yolact_pl.config.switches import check_switches
from yolact_pl.config.trained import load_trained
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.inference.engines.torch_engine import resolve_device, torch_predictor
from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.tiling.tiles import tile_overlap
from yolact_pl.results.detections import Detections
from yolact_pl.structures import ImageInfo
from yolact_pl.training.trainer import build_callbacks, build_trainer

_log = logging.getLogger(__name__)


class MeasuredPredictor(LightningModule):
    """A predictor as Lightning validates it.

    Args:
        build_predictor: called with `device=` by each process.
        tile: side of the tiles in pixels; None: whole images.
        overlap: the part of a tile that it shares with the next one.
    """

    def __init__(
        self, build_predictor: Callable[..., Predictor], *, tile: int | None, overlap: float
    ) -> None:
        super().__init__()
        self.build_predictor = build_predictor
        self.tile = tile
        self.overlap = overlap
        self.predictor: Predictor | None = None

    def setup(self, stage: str) -> None:
        self.predictor = self.build_predictor(device=self.trainer.strategy.root_device)

    @property
    def conditions(self) -> dict[str, Any]:
        """What is measured, for the report."""
        assert self.predictor is not None
        engine = self.predictor.engine
        tiles = {} if self.tile is None else {"tile": self.tile, "overlap": self.overlap}
        return {"engine": engine.name, "precision": engine.precision, "device": engine.device, **tiles}

    def validation_step(
        self, batch: tuple[list[NDArray[np.uint8]], list[ImageInfo]], batch_idx: int
    ) -> dict[str, list[Detections]]:
        assert self.predictor is not None
        images, _ = batch
        if self.tile is None:
            return {"detections": self.predictor(images)}
        tiled = [self.predictor.tiled(image, tile=self.tile, overlap=self.overlap) for image in images]
        return {"detections": tiled}


class Subject(NamedTuple):
    """What is measured, and on what."""

    path: Path
    data: CocoDataModule
    build_predictor: Callable[..., Predictor]
    """Called with `device=` by each process."""


def run(cfg: DictConfig) -> float | None:
    """Measure a checkpoint or an exported file on the validation set, as prediction uses it.

    Returns the mask AP (0..1) or None.

    Writes `metrics.json`, `per_class.csv`, `confusion_matrix.csv`, `bbox_detections.json` and
    `mask_detections.json` to the output.

    Raises:
        ValueError: checkpoint, data or options that can't be used.
    """
    check_switches(cfg, "half")
    if cfg.tile is not None:
        tile_overlap(cfg.tile, cfg.overlap)
    cfg, subject = _subject(cfg)
    subject.data.decode_only = True
    wanted = {name: node for name, node in build_callbacks(cfg).items() if name in ("evaluation", "progress")}
    trainer = build_trainer(cfg, list(wanted.values()), precision="32-true")  # `half` is the predictor's own
    module = MeasuredPredictor(subject.build_predictor, tile=cfg.tile, overlap=cfg.overlap)
    trainer.validate(module, datamodule=subject.data, verbose=False)
    evaluation = wanted["evaluation"]
    assert isinstance(evaluation, CocoEvaluation)
    rank_zero_only(_log.info)("checkpoint %s\nresults in %s", subject.path, Path(cfg.output))
    return evaluation.mask_ap


def _subject(cfg: DictConfig) -> tuple[DictConfig, Subject]:
    """The run's config, with the device to measure on, and what is measured."""
    exported = load_exported(cfg)
    if exported is not None:
        predictor = exported.predictor
        return _in_one_process(cfg), Subject(exported.path, exported.data(), lambda device: predictor)
    cfg = _on_device(cfg)
    trained = load_trained(cfg)
    build_predictor = functools.partial(
        torch_predictor,
        trained.network,
        build(trained.cfg.model.postprocess),
        class_names=trained.class_names,
        image_size=image_size(trained.cfg),
        resize=resize_mode(trained.cfg),
        half=cfg.half,
    )
    return cfg, Subject(trained.path, trained.data(), build_predictor)


def _in_one_process(cfg: DictConfig) -> DictConfig:
    """The config with a trainer that needs no device: an exported file has its own."""
    cfg = cfg.copy()
    cfg.trainer.accelerator, cfg.trainer.devices, cfg.trainer.strategy = "cpu", 1, "auto"
    return cfg


def _on_device(cfg: DictConfig) -> DictConfig:
    """The config with the trainer on the device that is asked for."""
    if cfg.device == "auto":
        return cfg
    device = resolve_device(cfg.device)
    cfg = cfg.copy()
    cfg.trainer.accelerator = {"cuda": "gpu"}.get(device.type, device.type)
    if device.index is not None:
        cfg.trainer.devices = [device.index]
    return cfg
