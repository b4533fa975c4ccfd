"""What a checkpoint says of itself, so that it can be used without the config that made it.

A checkpoint of this project is a Lightning checkpoint with one more entry, `yolact_pl`, a dictionary of primitives. It
holds the network as a tree of `_target_` constructor calls, and what is needed to read its answers.
"""

import importlib
import pickle
from pathlib import Path
from typing import Any, TypedDict
from zipfile import BadZipFile

import torch
from torch import Tensor, nn

ENTRY = "yolact_pl"
_TRUSTED = "yolact_pl.models."


class Description(TypedDict):
    """Primitives only: `torch.load(..., weights_only=True)` reads it."""

    network: dict[str, Any]
    """The constructor calls of the network: `_target_` and arguments, nested."""
    class_names: list[str]
    category_ids: list[int]
    """The annotation file's id of each class."""
    image_size: list[int]
    """[height, width] of the network's input."""
    config: dict[str, Any]
    """The whole config of the run."""


class CheckpointError(ValueError):
    """A checkpoint that can't be used, and why."""


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Everything in a checkpoint file, read without running any code that is in it.

    Raises:
        CheckpointError: no such file, or not a file that `torch.save` wrote, or one with other things than tensors and primitives.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path}: no such file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"checkpoint {path}: holds something else than tensors and plain values, or is damaged ({reason}); "
            "it was not loaded"
        ) from error
    except (RuntimeError, EOFError, BadZipFile, OSError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"checkpoint {path} ({path.stat().st_size} bytes): not a complete checkpoint; was it cut off while being copied?"
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"checkpoint {path}: expected a dictionary of weights, found {type(content).__name__}")
    return content


def describes_itself(content: dict[str, Any]) -> bool:
    """Whether a checkpoint's content was written by this project."""
    return ENTRY in content


def build_network(tree: dict[str, Any]) -> nn.Module:
    """Call the constructors of a description's network. Only this project's models are ever called."""

    def build(node: Any) -> Any:
        if isinstance(node, dict):
            arguments = {key: build(value) for key, value in node.items() if key != "_target_"}
            if "_target_" not in node:
                return arguments
            target = str(node["_target_"])
            if not target.startswith(_TRUSTED):
                raise CheckpointError(f"the checkpoint asks for {target}; only {_TRUSTED}* is built from checkpoints")
            module, name = target.rsplit(".", 1)
            return getattr(importlib.import_module(module), name)(**arguments)
        if isinstance(node, list):
            return [build(value) for value in node]
        return node

    return build(tree)


def network_weights(content: dict[str, Any]) -> dict[str, Tensor]:
    """The network's weights in one of our checkpoints, by the network's own names."""
    prefix = "network."
    return {
        name.removeprefix(prefix): value
        for name, value in content["state_dict"].items()
        if name.startswith(prefix)
    }


def load_weights(network: nn.Module, weights: dict[str, Tensor], origin: str) -> None:
    """Load all weights or none; see `check_weights`."""
    check_weights(network, weights, origin)
    network.load_state_dict(weights)


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
            f"{len(differing)} weights have another shape (first: {name}, {tuple(weights[name].shape)} in the checkpoint, "
            f"{tuple(own[name].shape)} here)"
        )
    if problems:
        raise CheckpointError(
            f"checkpoint {origin} is of another architecture or class count: {'; '.join(problems)}. "
            "Leave out the overrides of model, backbone and dataset, or give those that it was trained with"
        )
