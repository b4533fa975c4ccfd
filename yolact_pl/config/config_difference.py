"""What the command line changes, in lines for people."""

import logging
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.cli.main import config_folder

_log = logging.getLogger(__name__)
_NOTHING = "(none)"
_OUTSIDE = ("output", "data_dir", "resume", "checkpoint", "source", "init", "name")
"""Say where things are; not shown."""


@rank_zero_only
def log_difference(cfg: DictConfig) -> None:
    """Log what makes this run another one than its experiment, or than the default where there is none."""
    lines = difference(cfg)
    if lines:
        experiment = HydraConfig.get().runtime.choices.get("experiment")
        _log.info("differs from %s in", f"experiment={experiment}" if experiment else "the default")
        for line in lines:
            _log.info("    %s", line)


def difference(cfg: DictConfig) -> list[str]:
    """Lines `schedule.lr: 0.001 -> 0.0005`, first those of groups, `backbone: r101 -> r50`.

    What follows from another value (`${image_size}`) or from the choice of a group is not named again.

    Args:
        cfg: as the run uses it, composed by Hydra from the command line.
    """
    overrides = OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))
    chosen = [override for override in overrides if (config_folder() / override.key_or_group).is_dir()]
    stated = [override for override in chosen if override.key_or_group in ("experiment", "task")]
    choices = _compose(stated).hydra.runtime.choices
    lines = []
    for override in chosen:
        old, new = choices.get(override.key_or_group), override.value()
        if override not in stated and old != new:
            lines.append(f"{override.key_or_group}: {_shown(old)} -> {_shown(new)}")
    before = dict(_leaves(_compose(chosen)))
    after = dict(_leaves(cfg))
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key, _NOTHING), after.get(key, _NOTHING)
        if old != new and key not in _OUTSIDE and not _within(key, after):
            if key not in before and any(_within(other, [key]) for other in before):
                old = "..."  # a node with keys of its own
            lines.append(f"{key}: {_shown(old)} -> {_shown(new)}")
    return lines


def _within(key: str, others: Collection[str]) -> bool:
    """Whether one of the others is a node above a key."""
    names = key.split(".")
    return any(".".join(names[:length]) in others for length in range(1, len(names)))


def _compose(overrides: Sequence[Override]) -> DictConfig:
    """With Hydra's own part, inside and outside of a program that Hydra runs."""
    typed = [str(override.input_line) for override in overrides]
    if GlobalHydra.instance().is_initialized():
        return compose("config", overrides=typed, return_hydra_config=True)
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return compose("config", overrides=typed, return_hydra_config=True)


def _leaves(node: DictConfig, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values as they are written, `${...}` not followed; lists are values."""
    for name in map(str, node):
        if not prefix and name == "hydra":
            continue
        child = node._get_node(name)
        if isinstance(child, DictConfig) and not (child._is_none() or child._is_interpolation()):
            yield from _leaves(child, f"{prefix}{name}.")
        elif isinstance(child, ListConfig) and not (child._is_none() or child._is_interpolation()):
            yield f"{prefix}{name}", list(child)
        else:
            yield f"{prefix}{name}", None if child is None else child._value()  # pyright: ignore


def _shown(value: Any) -> str:
    """As it is typed."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
