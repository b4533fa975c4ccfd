"""Hyper-parameters of a run."""

from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from yolact_pl.config.typed_keys import chosen_groups, typed_overrides_of_task

_GROUPS = ("experiment", "model", "backbone", "dataset", "augment", "optimizer", "schedule", "callbacks")
_KEYS = ("image_size", "seed", "dataset.batch_size", "trainer.precision", "model.freeze_bn")
_PLACES = ("hydra", "output", "data_dir", "resume", "name", "callbacks", "logger", "debug")
"""Say where things are and what is watched, not what is learned,"""
_EXCEPTIONS = ("callbacks.ema", "callbacks.early_stopping")
"""but for these."""


def hyper_parameters(cfg: DictConfig) -> dict[str, Any]:
    """Choices of groups, the schedule, and all that the command line names, by dotted key.

    A fixed list and not the whole config: the table of a sweep should be one that can be read.
    """
    choices = chosen_groups()
    values: dict[str, Any] = {
        group: choices[group] for group in _GROUPS if choices.get(group, "None") != "None"
    }
    for key in (*_KEYS, "optimizer", "schedule", *_overridden()):
        values |= dict(_leaves(key, OmegaConf.select(cfg, key)))
    return values


def _overridden() -> list[str]:
    """Keys of the command line; of a sweep's job, those that differ between the jobs."""
    names = [override.key_or_group for override in typed_overrides_of_task() if not override.is_delete()]
    groups = chosen_groups()
    return [
        name
        for name in names
        if name not in groups and (name.split(".")[0] not in _PLACES or name.startswith(_EXCEPTIONS))
    ]


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, DictConfig):
        for name in value:
            if not OmegaConf.is_interpolation(value, str(name)):  # named where it is written
                yield from _leaves(f"{key}.{name}", value[name])
    elif value is not None and not key.endswith(("_target_", "_partial_")):
        yield key, value if isinstance(value, str | int | float | bool) else str(value)
