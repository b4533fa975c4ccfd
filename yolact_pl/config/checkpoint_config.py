"""Config of a checkpoint, with what the command line says on top."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from yolact_pl.checkpoints.description import CheckpointError
from yolact_pl.checkpoints.stored import StoredNetwork, at_image_size
from yolact_pl.config.build import AUTO

_OF_THIS_RUN = ("output", "task", "checkpoint", "source", "resume", "trainer", "callbacks", "logger")
_NETWORK = "model.network."
_NOT_COMPARED = ("backbone.weights", "anchors.image_size", "num_classes")
_DEFORMABLE = ("backbone.deformable", "backbone.deformable_interval")


def checkpoint_config(
    cfg: DictConfig, stored: StoredNetwork, *, typed: Collection[str], groups: Collection[str]
) -> DictConfig:
    """The run's config as if the checkpoint's had been the default.

    Args:
        cfg: as Hydra composed it.
        stored: a checkpoint of this project, or released weights, which say nothing but their network.
        typed: groups and dotted keys that the command line names. A group (`augment=none`) replaces that
            group, a key (`model.postprocess.nms=exact`) that key, `experiment` everything.
        groups: all config groups.

    Raises:
        CheckpointError: the command line names another network than the checkpoint's; lists the differences.
    """
    if cfg.image_size == AUTO:  # chosen for the data that the network was trained on
        cfg.image_size = list(stored.image_size)
    if stored.config is None:
        return _with_released_network(cfg, stored, typed)
    _check_agreement(cfg, stored.tree, stored, typed)
    return cfg if "experiment" in typed else _with_typed(cfg, stored.config, typed, groups)


def _with_typed(
    cfg: DictConfig, stored: dict[str, Any], typed: Collection[str], groups: Collection[str]
) -> DictConfig:
    merged = OmegaConf.create(stored)
    with open_dict(merged):
        for name in _OF_THIS_RUN:
            merged[name] = cfg[name]
        for name in typed:
            if name in groups and "/" not in name:
                merged[name] = cfg[name]
            elif not name.startswith("hydra"):
                OmegaConf.update(merged, name, OmegaConf.select(cfg, name), force_add=True)
        if "image_size" in typed:  # what follows it is stored as a number
            merged.dataset.image_size = cfg.image_size
            if "anchors" in merged.model.network:
                merged.model.network.anchors.image_size = cfg.image_size
        if "resize" in typed:
            merged.dataset.resize = cfg.resize
    return merged


def _with_released_network(cfg: DictConfig, stored: StoredNetwork, typed: Collection[str]) -> DictConfig:
    """The run's config with the network that the weights are of."""
    size = cfg.image_size if {"image_size", "experiment"} & set(typed) else stored.image_size[0]
    plain_size = size if isinstance(size, int) else list(size)
    tree = at_image_size(stored.tree, plain_size)
    _check_agreement(cfg, tree, stored, typed)
    tree["anchors"] |= _typed_anchors(cfg, typed)
    del tree["num_classes"]
    merged = cfg.copy()
    with open_dict(merged):
        merged.image_size = plain_size
        merged.backbone = tree["backbone"]
        merged.model.network = tree
    return merged


def _typed_anchors(cfg: DictConfig, typed: Collection[str]) -> dict[str, Any]:
    """The keys of the anchors that the command line names; a file of anchors names all of them.

    Anchors leave no trace in weights, so that the command line may say more than released weights do.
    """
    anchors: dict[str, Any] = OmegaConf.to_container(cfg.model.network.anchors, resolve=True)  # type: ignore[assignment]
    by_file = set(anchors) - {"_target_", "image_size"} if f"{_NETWORK}anchors" in typed else set()
    return {k: v for k, v in anchors.items() if k in by_file or f"{_NETWORK}anchors.{k}" in typed}


def _check_agreement(
    cfg: DictConfig, tree: Mapping[str, Any], stored: StoredNetwork, typed: Collection[str]
) -> None:
    """What the command line names of the network must be so in the checkpoint."""
    asked = dict(_leaves(OmegaConf.to_container(cfg.model.network, resolve=True)))
    found = dict(_leaves(tree))
    differences = [
        f"{key} is {found.get(key)} in the file, {asked.get(key)} on the command line"
        for key in dict.fromkeys((*asked, *found))
        if asked.get(key) != found.get(key) and _is_typed(key, typed)
    ]
    if differences:
        raise CheckpointError(
            f"checkpoint {stored.path} is not of the network that the command line names: "
            f"{'; '.join(differences)}. Leave out model, backbone and experiment, the file says enough"
        )


def _is_typed(key: str, typed: Collection[str]) -> bool:
    """Whether the command line says something about a key of the network that a checkpoint says, too."""
    if key in _NOT_COMPARED:
        return False
    if key.startswith("anchors.") and {f"{_NETWORK}anchors", f"{_NETWORK}{key}"} & set(typed):
        return False
    # Deformable convolutions are turned on by the model, not by a backbone.
    group = "backbone" if key.startswith("backbone.") and key not in _DEFORMABLE else "model"
    return bool({"experiment", group, key, f"{_NETWORK}{key}"} & set(typed))


def _leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values; without deformable convolutions their interval means nothing."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        elif key != "deformable_interval" or tree.get("deformable", True):
            yield f"{prefix}{key}", value
