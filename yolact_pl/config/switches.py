"""Settings that are on or off."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from yolact_pl.models.network import YolactNetwork

REDUCE_OVERHEAD = "reduce-overhead"


def check_switches(cfg: DictConfig, *keys: str) -> None:
    """Any other word would count as on.

    Raises:
        ValueError: one of the keys, dotted, is neither true nor false.
    """
    for key in keys:
        value = OmegaConf.select(cfg, key)
        if not isinstance(value, bool):
            raise ValueError(f"{key}={value}: expected true or false")


def check_compile(cfg: DictConfig, key: str) -> None:
    """Raises:
    ValueError: the key, dotted, is not known to `compile_network`.
    """
    value = OmegaConf.select(cfg, key)
    if not isinstance(value, bool) and value != REDUCE_OVERHEAD:
        raise ValueError(f"{key}={value}: expected true, false or {REDUCE_OVERHEAD}")


def compile_network(network: YolactNetwork, setting: bool | str, **options: Any) -> None:
    """As the setting says: not, by torch's default mode, or by its mode of that name."""
    if setting:
        network.compile(mode=None if setting is True else setting, **options)
