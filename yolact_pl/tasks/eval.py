"""task=eval"""

import functools
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.callbacks.coco_evaluation import CocoEvaluation
from yolact_pl.checkpoints.class_thresholds import write_with_thresholds
from yolact_pl.config.build import build, image_size, resize_mode
from yolact_pl.config.exported import load_exported
from yolact_pl.config.switches import check_switches
from yolact_pl.config.trained import load_trained
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.download.record import sha256_of
from yolact_pl.evaluation.analysis.thresholds import best_thresholds, usable_thresholds
from yolact_pl.evaluation.confusion_matrix import SCORE_THRESHOLD
from yolact_pl.evaluation.matching.set_matches import SetMatches
from yolact_pl.inference.engines.torch_engine import resolve_device, torch_predictor
from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.tiling.tiles import tile_overlap
from yolact_pl.report.numbers import report_numbers, write_numbers
from yolact_pl.results.detections import Detections
from yolact_pl.structures import ImageInfo
from yolact_pl.training.trainer import build_callbacks, build_trainer

_log = logging.getLogger(__name__)
NAMED = 10
_NO_PLACE = "save_thresholds=true: {} has no place for thresholds; give a checkpoint of this project"


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
        self._seconds: list[float] = []

    def setup(self, stage: str) -> None:
        self.predictor = self.build_predictor(device=self.trainer.strategy.root_device)

    @property
    def conditions(self) -> dict[str, Any]:
        """What is measured, for the report."""
        assert self.predictor is not None
        engine = self.predictor.engine
        tiles = {} if self.tile is None else {"tile": self.tile, "overlap": self.overlap}
        return {"engine": engine.name, "precision": engine.precision, "device": engine.device, **tiles}

    @property
    def machine(self) -> dict[str, Any]:
        """Hardware and versions of the software."""
        assert self.predictor is not None
        return dict(self.predictor.engine.meter.describe())

    @property
    def milliseconds(self) -> float:
        """Median time per image, without reading the file."""
        return 1000 * float(np.median(self._seconds))

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


def run(cfg: DictConfig) -> float | None:
    """Measure a checkpoint or an exported file on the validation set, as prediction uses it.

    Returns the mask AP (0..1) or None.

    Writes `metrics.json`, `per_class.csv`, `confusion_matrix.csv`, `bbox_detections.json` and
    `mask_detections.json` to the output, and if asked for `report.json` and a checkpoint with thresholds.

    Raises:
        ValueError: checkpoint, data or options that can't be used.
    """
    check_switches(cfg, "half", "report", "save_thresholds")
    if cfg.tile is not None:
        tile_overlap(cfg.tile, cfg.overlap)
    cfg, subject = _subject(cfg)
    subject.data.decode_only = True
    if cfg.save_thresholds and not subject.data.num_val_objects:
        raise ValueError(
            f"save_thresholds=true: {subject.data.val_annotations.path} has no objects to measure with"
        )
    if (cfg.report or cfg.save_thresholds) and cfg.trainer.strategy == "ddp_spawn":
        raise ValueError("report and save_thresholds need what trainer=ddp_spawn does not return: choose ddp")
    wanted = {name: node for name, node in build_callbacks(cfg).items() if name in ("evaluation", "progress")}
    trainer = build_trainer(cfg, list(wanted.values()), precision="32-true")  # `half` is the predictor's own
    module = MeasuredPredictor(subject.build_predictor, tile=cfg.tile, overlap=cfg.overlap)
    evaluation = wanted["evaluation"]
    assert isinstance(evaluation, CocoEvaluation)
    evaluation.boundaries = cfg.report
    trainer.validate(module, datamodule=subject.data, verbose=False)
    if trainer.is_global_zero and evaluation.matches is not None:
        if cfg.report:
            write_numbers(_numbers(subject, module, evaluation), Path(cfg.output))
        if cfg.save_thresholds:
            _save_thresholds(subject.path, evaluation.matches, Path(cfg.output))
    rank_zero_only(_log.info)("checkpoint %s\nresults in %s", subject.path, Path(cfg.output))
    return evaluation.mask_ap


def _subject(cfg: DictConfig) -> tuple[DictConfig, Subject]:
    """The run's config, with the device to measure on, and what is measured."""
    exported = load_exported(cfg)
    if exported is not None:
        if cfg.save_thresholds:
            raise ValueError(_NO_PLACE.format(exported.path))
        predictor = exported.predictor
        return _in_one_process(cfg), Subject(exported.path, exported.data(), lambda device: predictor)
    cfg = _on_device(cfg)
    trained = load_trained(cfg)
    if cfg.save_thresholds and not trained.names_are_stored:
        raise ValueError(_NO_PLACE.format(trained.path))
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


def _numbers(subject: Subject, module: MeasuredPredictor, evaluation: CocoEvaluation) -> dict[str, Any]:
    """What `report.json` says."""
    assert evaluation.matches is not None
    known, metrics = subject.data.val_annotations, evaluation.metrics
    precision = {} if metrics is None else {"box": metrics.box, "mask": metrics.mask}
    if evaluation.boundary is not None:
        precision["boundary"] = evaluation.boundary
    index = {image_id: i for i, image_id in enumerate(known.image_ids.tolist())}
    return report_numbers(
        measured={
            "checkpoint": str(subject.path),
            "checkpoint_sha256": sha256_of(subject.path),
            "data": str(known.path),
            "data_sha256": sha256_of(known.path),
            "images": len(evaluation.matches.image_ids),
            **module.conditions,
            **_options(module),
            "milliseconds_per_image": round(module.milliseconds, 2),
            "machine": module.machine,
        },
        matches=evaluation.matches,
        precision=precision,
        file_names=[known.file_name(index[image_id]) for image_id in evaluation.matches.image_ids.tolist()],
    )


def _options(module: MeasuredPredictor) -> dict[str, Any]:
    """How the predictor was asked."""
    assert module.predictor is not None
    request, engine = module.predictor.request, module.predictor.engine
    return {
        "image_size": list(module.predictor.image_size),
        "resize": module.predictor.resize.mode,
        "nms": request.nms,
        "iou_threshold": request.iou_threshold,
        "score_threshold": engine.score_threshold,
    }


def _save_thresholds(checkpoint: Path, matches: SetMatches, output: Path) -> None:
    path = output / f"{checkpoint.stem}_thresholds.ckpt"
    best = best_thresholds(matches)
    write_with_thresholds(checkpoint, path, usable_thresholds(best))
    unknown = [one.name for one in best if math.isnan(one.threshold)]
    if unknown:
        _log.warning(
            "%d of %d classes keep the minimum score %g, since no object of them was found: %s",
            len(unknown), len(best), SCORE_THRESHOLD,
            ", ".join(unknown[:NAMED]) + (", ..." if len(unknown) > NAMED else ""),
        )  # fmt: skip
    _log.info("thresholds in %s: task=predict checkpoint=%s min_score=auto", path, path)


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
