"""Losses as `conf/model` has them."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from yolact_pl.config.build import build
from yolact_pl.losses.yolact_loss import YolactLoss

CONF = Path(__file__).parents[1] / "conf"
FOCAL = {"_target_": "yolact_pl.losses.terms.classification.SoftmaxFocalLoss"}


def published_loss(changes: dict[str, Any] | None = None) -> YolactLoss:
    """With other values at some dotted keys below `model.loss`."""
    return _loss("yolact", "iou", changes or {})


def modern_loss(changes: dict[str, Any] | None = None, *, assigner: str = "task_aligned") -> YolactLoss:
    """With other values at some dotted keys below `model.loss`."""
    return _loss("yolact_modern", assigner, changes or {})


def _loss(model: str, assigner: str, changes: dict[str, Any]) -> YolactLoss:
    cfg: Any = OmegaConf.create(
        {
            "model": OmegaConf.load(CONF / "model" / f"{model}.yaml"),
            "assigner": OmegaConf.load(CONF / "assigner" / f"{assigner}.yaml"),
        }
    )
    cfg.model.loss.assigner = cfg.assigner
    for key, value in changes.items():
        OmegaConf.update(cfg.model.loss, key, value, merge=False)
    return build(cfg.model.loss)
