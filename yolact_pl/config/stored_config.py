"""The config of a checkpoint, with what the command line says on top."""

from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict


def with_stored_config(cfg: DictConfig, stored: dict[str, Any]) -> DictConfig:
    """The run's config as if the checkpoint's had been the default.

    What the command line names is taken from `cfg`: a group that was chosen (`augment=none`) replaces that
    group, a key (`model.postprocess.nms=exact`) replaces that key. All else is the checkpoint's.
    `experiment=...` chooses everything.

    Args:
        cfg: as Hydra composed it.
        stored: the `config` of a checkpoint's description.
    """
    overrides = OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))
    names = [override.key_or_group for override in overrides]
    if "experiment" in names:
        return cfg
    choices = HydraConfig.get().runtime.choices
    merged = OmegaConf.create(stored)
    with open_dict(merged):
        for name in ("output", "task", "checkpoint", "source", "resume", "trainer", "callbacks", "logger"):
            merged[name] = cfg[name]
        for name in names:
            if name in choices and "/" not in name:
                merged[name] = cfg[name]
            elif not name.startswith("hydra"):
                OmegaConf.update(merged, name, OmegaConf.select(cfg, name), force_add=True)
        if "image_size" in names:  # what followed it in the run's config is stored as a number
            merged.dataset.image_size = cfg.image_size
            merged.model.network.anchors.image_size = cfg.image_size
        if "resize" in names:
            merged.dataset.resize = cfg.resize
    return merged
