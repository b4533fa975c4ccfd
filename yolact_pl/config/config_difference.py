"""Changes by the command line, for the log."""

import logging
from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.cli.main import config_folder
from yolact_pl.config.typed_keys import chosen_groups, typed_overrides_of_task

_log = logging.getLogger(__name__)
_NOT_SHOWN = ("experiment", "task", "output", "data_dir", "resume", "checkpoint", "source", "init", "name")
"""Named already, or they say where things are."""


@rank_zero_only
def log_difference() -> None:
    """Log what makes this run another one than its experiment, or than the default where there is none."""
    lines = difference(typed_overrides_of_task())
    if lines:
        experiment = chosen_groups().get("experiment", "None")
        _log.info("differs from %s in", "the default" if experiment == "None" else f"experiment={experiment}")
        for line in lines:
            _log.info("    %s", line)


def difference(typed: Sequence[Override]) -> list[str]:
    """Lines such as `schedule.lr: 0.001 -> 0.0005` and `backbone: r101 -> r50`, in the order as typed.

    A value is compared with that of the chosen groups.

    Args:
        typed: a command line.
    """
    overrides = list({o.key_or_group: o for o in typed}.values())  # the last one counts
    groups = [o for o in overrides if (config_folder() / o.key_or_group).is_dir()]
    stated = [o for o in groups if o.key_or_group in ("experiment", "task")]
    plain, chosen = (_compose([str(o.input_line) for o in some]) for some in (stated, groups))
    lines = []
    for override in overrides:
        key = override.key_or_group
        if override in groups:
            old = plain.hydra.runtime.choices.get(key)
        else:
            node = OmegaConf.select(chosen, key)
            old = "..." if OmegaConf.is_dict(node) else node
        new = "(none)" if override.is_delete() else override.value()
        if key not in _NOT_SHOWN and old != new:
            lines.append(f"{key}: {_shown(old)} -> {_shown(new)}")
    return lines


def _compose(overrides: list[str]) -> DictConfig:
    """With Hydra's own part, inside and outside of a program that Hydra runs."""
    if GlobalHydra.instance().is_initialized():
        return compose("config", overrides=overrides, return_hydra_config=True)
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return compose("config", overrides=overrides, return_hydra_config=True)


def _shown(value: object) -> str:
    """As it is typed."""
    if isinstance(value, list) or OmegaConf.is_list(value):
        return f"[{', '.join(map(_shown, value))}]"  # type: ignore[arg-type]
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
