"""task=eval"""

import logging
import math
from pathlib import Path

from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.callbacks.report_page import ReportFacts
from yolact_pl.checkpoints.class_thresholds import write_with_thresholds
from yolact_pl.config.exported import load_exported
from yolact_pl.config.report_facts import exported_facts, trained_facts
from yolact_pl.config.switches import check_switches
from yolact_pl.config.trained import load_trained
from yolact_pl.evaluation.analysis.thresholds import best_thresholds, usable_thresholds
from yolact_pl.evaluation.confusion_matrix import SCORE_THRESHOLD
from yolact_pl.evaluation.matching.set_matches import SetMatches
from yolact_pl.inference.engines.torch_engine import resolve_device
from yolact_pl.inference.tiling.tiles import tile_overlap
from yolact_pl.training.measuring import Subject, checkpoint_subject, measure

_log = logging.getLogger(__name__)
NAMED = 10
_NO_PLACE = "save_thresholds=true: {} has no place for thresholds; give a checkpoint of this project"


def run(cfg: DictConfig) -> float | None:
    """Measure a checkpoint or an exported file on the validation set, as prediction uses it.

    Returns the mask AP (0..1) or None.

    Writes `metrics.json`, `per_class.csv`, `confusion_matrix.csv`, `bbox_detections.json` and
    `mask_detections.json` to the output, and if asked for `report.html` with `report.json`, and a checkpoint
    with thresholds.

    Raises:
        ValueError: checkpoint, data or options that can't be used.
    """
    check_switches(cfg, "half", "report", "save_thresholds")
    if cfg.tile is not None:
        tile_overlap(cfg.tile, cfg.overlap)
    cfg, subject, facts = _subject(cfg)
    if cfg.save_thresholds and not subject.data.num_val_objects:
        raise ValueError(
            f"save_thresholds=true: {subject.data.val_annotations.path} has no objects to measure with"
        )
    if cfg.save_thresholds and cfg.trainer.strategy == "ddp_spawn":
        raise ValueError("save_thresholds needs what trainer=ddp_spawn does not return: choose ddp")
    evaluation = measure(cfg, subject, tile=cfg.tile, overlap=cfg.overlap, facts=facts)
    if cfg.save_thresholds and evaluation.matches is not None:
        _save_thresholds(subject.path, evaluation.matches, Path(cfg.output))
    rank_zero_only(_log.info)("checkpoint %s\nresults in %s", subject.path, Path(cfg.output))
    return evaluation.mask_ap


def _subject(cfg: DictConfig) -> tuple[DictConfig, Subject, ReportFacts | None]:
    """The run's config, with the device to measure on, what is measured, and what a report says of it."""
    exported = load_exported(cfg)
    if exported is not None:
        if cfg.save_thresholds:
            raise ValueError(_NO_PLACE.format(exported.path))
        predictor, data = exported.predictor, exported.data()
        facts = exported_facts(exported, data) if cfg.report else None
        return _in_one_process(cfg), Subject(exported.path, data, lambda device: predictor), facts
    cfg = _on_device(cfg)
    trained = load_trained(cfg)
    if cfg.save_thresholds and not trained.names_are_stored:
        raise ValueError(_NO_PLACE.format(trained.path))
    data = trained.data()
    facts = trained_facts(trained, data) if cfg.report else None
    return cfg, checkpoint_subject(trained, data, half=cfg.half), facts


def _in_one_process(cfg: DictConfig) -> DictConfig:
    """The config with a trainer that needs no device: an exported file has its own."""
    cfg = cfg.copy()
    cfg.trainer.accelerator, cfg.trainer.devices, cfg.trainer.strategy = "cpu", 1, "auto"
    return cfg


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
