"""Self-description of checkpoints, by which they are used without the config that made them.

A checkpoint of this project is a Lightning checkpoint with one more entry, `yolact_pl`, a dictionary of
primitives. It holds the network as a tree of `_target_` constructor calls, and what is needed to read its
answers.
"""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor, nn
from typing_extensions import NotRequired  # typing.NotRequired starts with Python 3.11

from yolact_pl.checkpoints.older import todays_description
from yolact_pl.decoders.decoder import Decoder
from yolact_pl.images.placement import MODES, STRETCH
from yolact_pl.models.network import YolactNetwork
from yolact_pl.models.weight_files import CheckpointError, read_content

__all__ = ["ENTRY", "CheckpointError", "Description"]

ENTRY = "yolact_pl"
_MODELS = "yolact_pl.models."
_OPTIMIZERS = "torch.optim."
_DECODERS = "yolact_pl.decoders."
_ROOMS = (
    _MODELS,
    _DECODERS,
    "yolact_pl.losses.",
    "yolact_pl.postprocess.",
    "yolact_pl.schedules.",
    "yolact_pl.data.",
)
_KINDS = {
    "network": dict,
    "class_names": list,
    "category_ids": list,
    "image_size": list,
    "decoder": dict,
    "config": dict,
}
_RUNNING = ("trainer", "callbacks", "logger", "hydra")
"""Parts of a run's config that belong to that run, and are never taken from a checkpoint."""


class Description(TypedDict):
    """Primitives only: `torch.load(..., weights_only=True)` reads it."""

    network: dict[str, Any]
    """The constructor calls of the network: `_target_` and arguments, nested."""
    class_names: list[str]
    category_ids: list[int]
    """The annotation file's id of each class."""
    decoder: dict[str, Any]
    """The constructor call of the decoder of the network's outputs."""
    image_size: list[int]
    """[height, width] of the network's input."""
    resize: NotRequired[str]
    """How pictures are placed on it, see `geometry.placement`; absent in older ones: "stretch"."""
    config: dict[str, Any]
    """The whole config of the run."""


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Everything in a checkpoint file, read without running any code that is in it.

    Raises:
        CheckpointError: no such file, or not a file that `torch.save` wrote, or one with other things than
            tensors and plain values, or one of this project without what it needs to be used.
    """
    content = dict(read_content(path))
    if describes_itself(content):
        content[ENTRY] = todays_description(content[ENTRY])
        _check_description(content, str(path))
    return content


def describes_itself(content: Mapping[str, Any]) -> bool:
    """Whether a checkpoint's content was written by this project."""
    return ENTRY in content


def _check_description(content: Mapping[str, Any], origin: str) -> None:
    entry = content[ENTRY]
    if not isinstance(entry, dict) or not isinstance(content.get("state_dict"), dict):
        raise CheckpointError(
            f"checkpoint {origin}: has no weights, or does not say what network they are of"
        )
    wrong = [key for key, kind in _KINDS.items() if not isinstance(entry.get(key), kind)]
    if wrong:
        raise CheckpointError(f"checkpoint {origin}: its description has no usable {wrong[0]}")
    for key, value in content["state_dict"].items():
        if not isinstance(value, Tensor):
            raise CheckpointError(
                f"checkpoint {origin}: weight {key} is a {type(value).__name__}, not a tensor"
            )
    if entry.get("resize", STRETCH) not in MODES:
        raise CheckpointError(
            f"checkpoint {origin}: its description has an unknown resize, {entry['resize']!r}"
        )
    if len(entry["class_names"]) != len(entry["category_ids"]):
        raise CheckpointError(
            f"checkpoint {origin}: has {len(entry['class_names'])} class names for "
            f"{len(entry['category_ids'])} category ids"
        )
    for target in _targets(entry["network"]):
        _model_class(target, origin)
    for target in _targets(entry["decoder"]):
        _decoder_class(target, origin)
    for key, value in entry["config"].items():
        if key not in _RUNNING:
            for target in _targets(value):
                _check_own_class(target, origin)


def _targets(node: Any) -> Iterator[str]:
    """What a tree of plain values would have called; an interpolation counts, since it could hide a call."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "_target_":
                yield str(value)
            else:
                yield from _targets(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _targets(value)
    elif isinstance(node, str) and "${" in node:
        yield node


def _model_class(target: str, origin: str) -> type[nn.Module]:
    found = _class(target) if target.startswith(_MODELS) else None
    if found is None or not issubclass(found, nn.Module):
        raise CheckpointError(
            f"checkpoint {origin}: asks for {target}; only networks of {_MODELS}* are built from checkpoints"
        )
    return found


def _decoder_class(target: str, origin: str) -> type[Decoder]:
    found = _class(target) if target.startswith(_DECODERS) else None
    if found is None:
        raise CheckpointError(f"checkpoint {origin}: asks for {target}, which is no decoder of {_DECODERS}*")
    return found


def _check_own_class(target: str, origin: str) -> None:
    """A checkpoint's config may come from anywhere, so it builds only what can do no harm."""
    if target.startswith(_OPTIMIZERS):
        optimizer = getattr(torch.optim, target.removeprefix(_OPTIMIZERS), None)
        if isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer):
            return
    elif target.startswith(_ROOMS) and _class(target) is not None:
        return
    raise CheckpointError(
        f"checkpoint {origin}: its config asks for {target}; only optimizers of torch and this project's "
        "networks, losses, postprocess, schedules and data sets are built from checkpoints"
    )


def _class(target: str) -> type | None:
    """The class that a dotted path names, None if it is not defined in just that module."""
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
    return found if isinstance(found, type) and found.__module__ == module else None


def build_network(tree: dict[str, Any], *, origin: str = "description") -> nn.Module:
    """Call the constructors of a description's network, without fetching any other weights.

    Args:
        tree: see `Description`.
        origin: names the checkpoint in errors.

    Raises:
        CheckpointError: not a network of this project is asked for, or its arguments are wrong.
    """

    def build(node: Any) -> Any:
        if isinstance(node, dict):
            arguments = {key: build(value) for key, value in node.items() if key != "_target_"}
            if "_target_" not in node:
                return arguments
            target = _model_class(str(node["_target_"]), origin)
            try:
                return target(**arguments)
            except (TypeError, ValueError, RuntimeError) as error:
                raise CheckpointError(
                    f"checkpoint {origin}: {target.__name__} cannot be built: {error}"
                ) from error
        if isinstance(node, list):
            return [build(value) for value in node]
        return node

    return build({**tree, "backbone": without_weights(tree["backbone"])} if "backbone" in tree else tree)


def build_decoder(tree: dict[str, Any], *, origin: str = "description") -> Decoder:
    """Call the constructor of a description's decoder.

    Raises:
        CheckpointError: it is no decoder of this project, or its arguments are wrong.
    """
    target = _decoder_class(str(tree.get("_target_")), origin)
    try:
        return target(**{key: value for key, value in tree.items() if key != "_target_"})
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"checkpoint {origin}: {target.__name__} cannot be built: {error}") from error


def without_weights(backbone: Mapping[str, Any]) -> dict[str, Any]:
    """A backbone's constructor call that starts from random: a checkpoint brings weights of its own."""
    return {**backbone, "weights": None}


def network_weights(content: dict[str, Any]) -> dict[str, Tensor]:
    """The network's weights in one of our checkpoints, by the network's own names."""
    prefix = "network."
    return {
        name.removeprefix(prefix): value
        for name, value in content["state_dict"].items()
        if name.startswith(prefix)
    }


def load_weights(network: YolactNetwork, weights: dict[str, Tensor], origin: str) -> None:
    """Load all weights or none, see `check_weights`; the backbone counts as pretrained then."""
    check_weights(network, weights, origin)
    network.load_state_dict(weights)
    network.backbone.pretrained = True


def check_weights(network: nn.Module, weights: dict[str, Tensor], origin: str) -> None:
    """Whether weights fit a network, without one missing and without one left over.

    Args:
        network: would take the weights.
        weights: by the network's own names.
        origin: names the checkpoint in errors.

    Raises:
        CheckpointError: a name or a shape differs; says which first, how many, and what it means.
    """
    own = network.state_dict()
    missing = [name for name in own if name not in weights]
    surplus = [name for name in weights if name not in own]
    differing = [name for name in own if name in weights and own[name].shape != weights[name].shape]
    problems = []
    if missing:
        problems.append(f"{len(missing)} weights of this network are not in it (first: {missing[0]})")
    if surplus:
        problems.append(f"{len(surplus)} of its weights have no place in this network (first: {surplus[0]})")
    if differing:
        name = differing[0]
        problems.append(
            f"{len(differing)} weights have another shape (first: {name}, "
            f"{tuple(weights[name].shape)} in the checkpoint, {tuple(own[name].shape)} here)"
        )
    if problems:
        raise CheckpointError(
            f"checkpoint {origin} is of another architecture or class count: {'; '.join(problems)}. "
            "Leave out the overrides of model, backbone and dataset, or give those that it was trained with"
        )
