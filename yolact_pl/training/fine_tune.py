"""Fine-tuning: `init`, `freeze` and `start_step`."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.checkpoints.initial import load_initial_weights
from yolact_pl.checkpoints.published import PUBLISHED_FILES, is_published
from yolact_pl.config.build import build_network
from yolact_pl.models.batch_norm import freeze_batch_norm
from yolact_pl.models.network import YolactNetwork

_log = logging.getLogger(__name__)


def network_to_train(cfg: DictConfig, class_names: Sequence[str]) -> YolactNetwork:
    """The network, with the weights of `cfg.init` if that is given, and frozen as `cfg.freeze` says.

    Raises:
        ValueError: weights that cannot be had or do not fit, or an impossible `freeze`.
    """
    if cfg.freeze not in ("none", "backbone"):
        raise ValueError(f"freeze={cfg.freeze}: expected none or backbone")
    if cfg.init is None:
        network = build_network(cfg, len(class_names))
    else:
        network = build_network(cfg, len(class_names), pretrained=False)
        report = load_initial_weights(network, cfg.init, class_names)
        rank_zero_only(_log.info)("%s", report.table())
        if not network.backbone.pretrained:
            rank_zero_only(_log.warning)("init=%s has no weights for all of this backbone", cfg.init)
    if cfg.freeze == "backbone":
        if not network.backbone.pretrained:
            raise ValueError(
                "freeze=backbone: the backbone has no trained weights to keep; give init or backbone.weights"
            )
        network.backbone.requires_grad_(False)
        freeze_batch_norm(network.backbone)
    return network


def step_to_start_at(cfg: DictConfig) -> int:
    """The optimizer step of the schedule that the run begins with.

    `start_step=auto` reads it from the name of `init`: the original project's files are NAME_EPOCH_STEP.pth.

    Raises:
        ValueError: `start_step` is not a step, or `auto` without a step in the name.
    """
    if cfg.start_step != "auto":
        if not isinstance(cfg.start_step, int) or cfg.start_step < 0:
            raise ValueError(
                f"start_step={cfg.start_step}: expected auto or the number of a step, 0 for the first"
            )
        return cfg.start_step
    if cfg.init is None:
        raise ValueError("start_step=auto reads the step from the name of init, which is not given")
    name = PUBLISHED_FILES[cfg.init] if is_published(cfg.init) else cfg.init
    match = re.search(r"_\d+_(\d+)(_interrupt)?\.pth$", Path(name).name)
    if match is None:
        raise ValueError(
            f"start_step=auto: {Path(name).name} is not of the form NAME_EPOCH_STEP.pth; give "
            "start_step=<step>, or resume=<checkpoint> to continue a run of this project"
        )
    return int(match[1])
