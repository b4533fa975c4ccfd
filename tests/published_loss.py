"""The published loss, as `conf/model/yolact.yaml` has it."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from yolact_pl.config.build import build
from yolact_pl.losses.yolact_loss import YolactLoss

MODEL = Path(__file__).parents[1] / "conf" / "model" / "yolact.yaml"
FOCAL = {"_target_": "yolact_pl.losses.terms.classification.SoftmaxFocalLoss"}


def published_loss(changes: dict[str, Any] | None = None) -> YolactLoss:
    """With other values at some dotted keys below `model.loss`."""
    cfg: Any = OmegaConf.create({"model": OmegaConf.load(MODEL)})
    for key, value in (changes or {}).items():
        OmegaConf.update(cfg.model.loss, key, value, merge=False)
    return build(cfg.model.loss)
