"""Whether the command line and a checkpoint mean the same network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from yolact_pl.checkpoints.description import CheckpointError

_NETWORK = "model.network."
_NOT_COMPARED = ("backbone.weights", "backbone.pretrained", "anchors.image_size", "num_classes")
_DEFORMABLE = ("backbone.deformable", "backbone.deformable_interval")


def named_on_command_line() -> set[str]:
    """The groups and keys that the command line overrides."""
    overrides = OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))
    return {override.key_or_group for override in overrides}


def anchors_on_command_line(cfg: DictConfig) -> dict[str, Any]:
    """The keys of the anchors that the command line overrides, one by one or all by a file.

    Anchors leave no trace in the weights, so that with them one may say more than a checkpoint does.
    """
    anchors = OmegaConf.to_container(cfg.model.network.anchors, resolve=True)
    assert isinstance(anchors, dict)
    named = named_on_command_line()
    by_file = set(anchors) - {"_target_", "image_size"} if f"{_NETWORK}anchors" in named else set()
    return {
        str(key): value
        for key, value in anchors.items()
        if key in by_file or f"{_NETWORK}anchors.{key}" in named
    }


def check_agreement(cfg: DictConfig, tree: Mapping[str, Any], path: Path) -> None:
    """What the command line says of the network must be so in the checkpoint.

    Args:
        cfg: as Hydra composed it.
        tree: the constructor calls of the checkpoint's network.
        path: the checkpoint, for the error.

    Raises:
        CheckpointError: lists what differs.
    """
    named = named_on_command_line()
    asked, found = _leaves(OmegaConf.to_container(cfg.model.network, resolve=True)), _leaves(tree)
    other_backbone = asked["backbone._target_"] != found["backbone._target_"]
    differences = [
        f"{key} is {found.get(key)} in the file, {asked.get(key)} on the command line"
        for key in dict.fromkeys((*asked, *found))
        if _is_compared(key, named)
        and asked.get(key) != found.get(key)
        and not (other_backbone and key.startswith("backbone.") and key != "backbone._target_")
    ]
    if differences:
        raise CheckpointError(
            f"checkpoint {path} is not of the network that the command line names: {'; '.join(differences)}. "
            "Leave out model, backbone and experiment, the file says enough"
        )


def _is_compared(key: str, named: set[str]) -> bool:
    """Whether the command line says something about a key of the network, and a checkpoint too."""
    if key in _NOT_COMPARED or (
        key.startswith("anchors.") and named & {f"{_NETWORK}anchors", f"{_NETWORK}{key}"}
    ):
        return False
    # YOLACT++ is what turns deformable convolutions on, and no backbone by itself.
    of_backbone = key.startswith("backbone.") and key not in _DEFORMABLE
    group = "backbone" if of_backbone else "model"
    return bool(named & {"experiment", group, key, f"{_NETWORK}{key}"})


def _leaves(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted keys and their values; where nothing is deformable, the interval means nothing."""
    leaves = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            leaves |= _leaves(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = value
    if not leaves.get("backbone.deformable", True):
        leaves.pop("backbone.deformable_interval", None)
    return leaves
