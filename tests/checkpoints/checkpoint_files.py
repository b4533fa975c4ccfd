"""Small networks, and checkpoints of them as the project and as the original write them."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from yolact_pl.checkpoints.description import ENTRY, build_network
from yolact_pl.checkpoints.released import rename_table
from yolact_pl.models.weight_files import inverse, rename_key
from yolact_pl.models.yolact import Yolact


def small_tree(num_classes: int, **changes: Any) -> dict[str, Any]:
    backbone = {
        "_target_": "yolact_pl.models.backbones.resnet.ResNet",
        "depths": [1, 1, 1, 1],
        "block": "basic",
    }
    anchors = {
        "_target_": "yolact_pl.models.anchors.Anchors",
        "scales": [24, 48, 96, 192, 384],
        "ratios": [1, 0.5, 2],
        "octaves": changes.pop("octaves", 1),
    }
    return {
        "_target_": "yolact_pl.models.yolact.Yolact",
        "backbone": backbone | changes.pop("backbone", {}),
        "anchors": anchors,
        "num_classes": num_classes,
        "channels": 8,
        "num_prototypes": 4,
        **changes,
    }


def small_network(num_classes: int, *, seed: int = 0, **changes: Any) -> Yolact:
    """All weights, also those that start as zeros, are random."""
    network = build_network(small_tree(num_classes, **changes))
    assert isinstance(network, Yolact)
    generator = torch.Generator().manual_seed(seed)
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator))
    return network


def published(network: Yolact) -> dict[str, Tensor]:
    """A network's weights under the published names."""
    table = inverse(rename_table({}))
    return {rename_key(key, table) or key: value for key, value in network.state_dict().items()}


def content_of(network: Yolact, class_names: list[str], tree: dict[str, Any]) -> dict[str, Any]:
    return {
        "state_dict": {f"network.{key}": value for key, value in network.state_dict().items()},
        ENTRY: {
            "network": tree,
            "class_names": class_names,
            "category_ids": list(range(1, len(class_names) + 1)),
            "image_size": [64, 64],
            "config": {"model": {"network": tree}},
        },
    }


def write_own(path: Path, class_names: list[str], **changes: Any) -> Yolact:
    network = small_network(len(class_names), seed=1, **changes)
    torch.save(content_of(network, class_names, small_tree(len(class_names), **changes)), path)
    return network
