"""Anchors in a file of their own, as task=anchors writes it and `model.network.anchors=FILE` takes it."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

_TARGET = "yolact_pl.models.anchors.Anchors"
_LISTS = ("scales", "ratios")
_DEFAULTS = {"scales": None, "ratios": None, "octaves": 1, "square": False, "reference_size": None}
"""Each key, and what it is if the file does not say; the lists have to be there."""
_LEVELS = 5


def insert_anchors_of_file(cfg: DictConfig) -> None:
    """Where `model.network.anchors` is the path of a file, put in its place what the file says.

    From then on the config holds the anchors themselves, and so do the checkpoints of the run.

    Raises:
        ValueError: no such file, or not one of anchors.
    """
    path = OmegaConf.select(cfg, "model.network.anchors")
    if not isinstance(path, str):
        return
    anchors = {"_target_": _TARGET, **read_anchors_file(Path(path)), "image_size": "${image_size}"}
    with open_dict(cfg):
        cfg.model.network.anchors = anchors


def read_anchors_file(path: Path) -> dict[str, Any]:
    """The arguments of `Anchors` in a file, without the image size.

    Raises:
        ValueError: no such file, or not one of anchors.
    """
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except OSError as error:
        raise ValueError(
            f"model.network.anchors={path}: {error.strerror or error}; give a file that task=anchors wrote, "
            "or single keys such as model.network.anchors.scales=[24,48,96,192,384]"
        ) from None
    except (YAMLError, UnicodeDecodeError, OmegaConfBaseException):
        raise _wrong(path, "it is not YAML") from None
    if not isinstance(content, dict):
        raise _wrong(path, "it has no keys")
    for key in content:
        if key not in _DEFAULTS:
            raise _wrong(path, f"unknown key {key!r}")
    for key in _LISTS:
        values = content.get(key)
        if not isinstance(values, list) or not values or not all(_is_positive(value) for value in values):
            raise _wrong(path, f"{key} is {values!r}, expected a list of positive numbers")
    if len(content["scales"]) != _LEVELS:
        raise _wrong(path, f"{len(content['scales'])} scales, expected {_LEVELS}, for P3 to P7")
    anchors: dict[str, Any] = {key: content.get(key, default) for key, default in _DEFAULTS.items()}
    if not _is_positive(anchors["octaves"]) or not isinstance(anchors["octaves"], int):
        raise _wrong(path, f"octaves is {anchors['octaves']!r}, expected a whole number from 1")
    if not isinstance(anchors["square"], bool):
        raise _wrong(path, f"square is {anchors['square']!r}, expected true or false")
    if anchors["reference_size"] is not None and not _is_positive(anchors["reference_size"]):
        raise _wrong(path, f"reference_size is {anchors['reference_size']!r}, expected pixels or null")
    return anchors


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _wrong(path: Path, what: str) -> ValueError:
    keys = ", ".join(_DEFAULTS)
    return ValueError(f"model.network.anchors={path}: {what}; it is to hold {keys}, see task=anchors")
