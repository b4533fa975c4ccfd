"""What a report says of the network, its data and its training run."""

import logging
from pathlib import Path

import numpy as np
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.callbacks.report_page import ReportFacts
from yolact_pl.config.build import image_size
from yolact_pl.config.config_difference import difference
from yolact_pl.config.exported import Exported
from yolact_pl.config.trained import Trained
from yolact_pl.data.annotations.coco_json import DataError
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.download.record import sha256_of
from yolact_pl.report.sections.data import SetData
from yolact_pl.report.sections.remedies import Setting
from yolact_pl.report.sections.training_run import read_curves

_log = logging.getLogger(__name__)


def trained_facts(trained: Trained, data: CocoDataModule, run_folder: Path | None = None) -> ReportFacts:
    """Read what is there; the training images, and the folder of the run, may be gone.

    Args:
        trained: the network that is measured.
        data: that it is measured on.
        run_folder: of its training; None: the folder above that of the checkpoint.
    """
    folder = trained.path.resolve().parent.parent if run_folder is None else run_folder
    return ReportFacts(
        subject=_subject(trained.path, data),
        setting=Setting(
            class_names=trained.class_names,
            image_size=image_size(trained.cfg),
            has_stride_option="prototype_stride" in trained.cfg.model.network,
            soft_masks=trained.cfg.dataset.get("soft_masks") if trained.names_are_stored else None,
            iou_threshold=trained.cfg.model.postprocess.get("iou_threshold"),
        ),
        sets=_sets(data),
        curves=read_curves(folder),
        changes=_changes(folder),
    )


def exported_facts(exported: Exported, data: CocoDataModule) -> ReportFacts:
    """The same for an exported file, which tells nothing of its training."""
    predictor = exported.predictor
    setting = Setting(
        predictor.class_names, predictor.image_size, iou_threshold=predictor.request.iou_threshold
    )
    return ReportFacts(subject=_subject(exported.path, data), setting=setting, sets=_sets(data))


def _subject(path: Path, data: CocoDataModule) -> dict[str, str]:
    known = data.val_annotations
    return {
        "checkpoint": str(path),
        "checkpoint_sha256": sha256_of(path) if path.is_file() else "",
        "data": str(known.path.absolute()),
        "data_sha256": sha256_of(known.path),
        "image_folder": str(data.sources.folder("val").absolute()),
    }


def _sets(data: CocoDataModule) -> dict[str, SetData]:
    sets = {}
    if data.sources.val_fraction is not None or "train" in data.sources.files:
        try:
            sets["train"] = SetData.of(data.sources.annotations("train"), data.sources.images("train"))
        except DataError as error:
            rank_zero_only(_log.warning)("the report is without the training set: %s", error)
    sets["val"] = SetData.of(data.val_annotations, np.asarray(data.sources.images("val"))[: data.max_images])
    return sets


def _changes(folder: Path) -> list[str]:
    """What the run's command line changed; nothing for a folder without one, or of other versions."""
    try:
        lines = yaml.safe_load((folder / ".hydra" / "overrides.yaml").read_text())
        return difference(OverridesParser.create().parse_overrides(lines))
    except (OSError, TypeError, HydraException, yaml.YAMLError):
        return []
