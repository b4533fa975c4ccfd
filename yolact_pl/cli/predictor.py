"""The predictor that the options of task=predict describe."""

from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from yolact_pl.config.build import build, image_size, resize_mode, stored_value_range
from yolact_pl.config.exported import load_exported, options_of_file
from yolact_pl.config.trained import load_trained
from yolact_pl.inference.engines.torch_engine import torch_predictor
from yolact_pl.inference.predictor import Predictor


def configured_predictor(cfg: DictConfig) -> tuple[Predictor, list[int]]:
    """The predictor of task=predict, and the id of each class in the annotation file.

    Raises:
        ValueError: a checkpoint, an exported file or options that can't be used.
    """
    exported = load_exported(cfg, class_names=_names(cfg.class_names))
    if exported is not None:
        if cfg.anchors is not None:
            raise ValueError(f"anchors belong to a .pth: leave them out for {exported.path}")
        options = options_of_file(cfg, exported.metadata, _names(cfg.classes))
        return exported.predictor.with_options(**options), list(exported.metadata.category_ids)
    anchors: Any = OmegaConf.to_container(cfg.anchors) if OmegaConf.is_config(cfg.anchors) else cfg.anchors
    trained = load_trained(cfg, class_names=_names(cfg.class_names), anchors=anchors)
    predictor = torch_predictor(
        trained.network,
        build(trained.cfg.model.postprocess),
        class_names=trained.class_names,
        image_size=image_size(trained.cfg),
        resize=resize_mode(trained.cfg),
        device=cfg.device,
        half=cfg.half,
        value_range=stored_value_range(trained.cfg),
        class_thresholds=trained.class_thresholds,
        nms=cfg.nms,
        iou_threshold=cfg.iou_threshold,
        min_score=cfg.min_score,
        classes=_names(cfg.classes),
        top_k=cfg.top_k,
    )
    return predictor, trained.category_ids


def _names(value: Any) -> list[str] | None:
    """One or several names, which may be numbers; None for null."""
    if value is None:
        return None
    return [str(name) for name in (value if isinstance(value, ListConfig) else [value])]
