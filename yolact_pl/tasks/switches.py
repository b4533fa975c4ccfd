"""Settings that are on or off."""

from omegaconf import DictConfig, OmegaConf


def check_switches(cfg: DictConfig, *keys: str) -> None:
    """Any other word would count as on.

    Raises:
        ValueError: one of the keys, dotted, is neither true nor false.
    """
    for key in keys:
        value = OmegaConf.select(cfg, key)
        if not isinstance(value, bool):
            raise ValueError(f"{key}={value}: expected true or false")
