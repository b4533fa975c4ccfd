"""An exported file in place of a checkpoint."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig, open_dict

from yolact_pl.checkpoints.published import is_published
from yolact_pl.config.build import AUTO, build, image_size
from yolact_pl.config.class_names import data_with_classes
from yolact_pl.config.missing_data import check_data
from yolact_pl.config.typed_keys import typed_keys
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.inference.exported.metadata import ExportError, ExportMetadata
from yolact_pl.inference.exported.model_file import exported_file
from yolact_pl.inference.exported.predictor import read_exported
from yolact_pl.inference.options import Options
from yolact_pl.inference.predictor import Predictor

OF_NETWORK = ("model", "backbone")
"""Groups that an exported file has inside."""


class Exported(NamedTuple):
    """What a task needs of an exported file."""

    path: Path
    predictor: Predictor
    metadata: ExportMetadata
    cfg: DictConfig
    """The run's config, with what the file says."""

    def data(self) -> CocoDataModule:
        """The data set of the config, with labels that count the classes as the file does.

        Raises:
            ValueError: it is not there, or has other classes.
        """
        data: CocoDataModule = build(self.cfg.dataset)
        check_data(data, self.cfg, "validate")
        names = self.predictor.class_names
        return data_with_classes(
            self.cfg, lambda cfg: build(cfg.dataset), data, names, f"checkpoint {self.path}"
        )


def load_exported(cfg: DictConfig, *, class_names: Sequence[str] | None = None) -> Exported | None:
    """The exported file that `cfg.checkpoint` means; None if it means a checkpoint.

    What the command line names must be what the file was exported with; all else follows the file.

    Args:
        cfg: of the run.
        class_names: in place of those of the file.

    Raises:
        ExportError: a file that can't be used, or another one than the command line asks for.
    """
    if cfg.checkpoint is None or cfg.checkpoint == AUTO or is_published(cfg.checkpoint):
        return None
    path = exported_file(cfg.checkpoint)
    if path is None:
        return None
    typed = typed_keys()
    for key in typed:
        if key.split(".")[0] in OF_NETWORK:
            raise ExportError(
                f"{key}: the network and its postprocess are inside of {path}; leave it out, or export the "
                "checkpoint again with it"
            )
    settled = "image_size" in typed and cfg.image_size != AUTO
    predictor, metadata = read_exported(
        path,
        device=cfg.device,
        image_size=image_size(cfg) if settled else None,
        resize=cfg.resize if "resize" in typed else None,
        half=cfg.half,
        class_names=class_names,
    )
    return Exported(path, predictor, metadata, _with_metadata(cfg, predictor, typed))


def options_of_file(cfg: DictConfig, metadata: ExportMetadata, classes: Sequence[str] | None) -> Options:
    """The options of task=predict: as typed, else as near to the defaults as the file serves."""
    typed = typed_keys()
    options: Options = {"min_score": cfg.min_score, "top_k": cfg.top_k, "classes": classes}
    if "min_score" not in typed:
        options["min_score"] = max(cfg.min_score, metadata.score_threshold)
    if "top_k" not in typed:
        options["top_k"] = min(cfg.top_k, metadata.max_detections)
    for key in ("nms", "iou_threshold"):
        if key in typed:
            options[key] = cfg[key]
    return options


def _with_metadata(cfg: DictConfig, predictor: Predictor, typed: Collection[str]) -> DictConfig:
    cfg = cfg.copy()
    cfg.image_size = list(predictor.image_size)
    cfg.resize = predictor.resize.mode
    if predictor.value_range is not None and "dataset.value_range" not in typed:
        with open_dict(cfg):
            cfg.dataset.value_range = list(predictor.value_range)
    return cfg
