import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from yolact_pl.checkpoints.description import build_network
from yolact_pl.checkpoints.released import (
    describe_released,
    load_released,
    load_released_weights,
    released_image_size,
    rename_table,
)
from yolact_pl.models.weight_files import inverse, rename_key

PARITY = Path(__file__).parents[1] / "parity"
State = dict[str, Tensor]


def published_state(name: str, device: str = "meta") -> State:
    """A released file's names and shapes, as recorded; without values on the meta device."""
    with np.load(PARITY / f"net_{name}.npz", allow_pickle=False) as file:
        keys = json.loads(str(file["state_keys"]))
    return {key: torch.zeros(shape, device=device) for key, shape in keys}


def released_names(tree: dict[str, Any]) -> State:
    """The weights, without values, that a network of ours would have in a released file."""
    with torch.device("meta"):
        own = build_network(tree).state_dict()
    darknet = (
        {"backbone._preconv.0.weight": torch.empty(0)} if "DarkNet" in tree["backbone"]["_target_"] else {}
    )
    table = inverse(rename_table(darknet))
    return {rename_key(key, table) or key: value for key, value in own.items()}


def anchors(**changes: Any) -> dict[str, Any]:
    return {
        "_target_": "yolact_pl.models.anchors.Anchors",
        "scales": [24, 48, 96, 192, 384],
        "ratios": [1, 1 / 2, 2],
        "octaves": 1,
        "square": True,
        "reference_size": 550,
        "image_size": 550,
        **changes,
    }


def resnet(depths: list[int], *, deformable: bool = False, interval: int = 1) -> dict[str, Any]:
    return {
        "_target_": "yolact_pl.models.backbones.resnet.ResNet",
        "depths": depths,
        "block": "bottleneck",
        "deformable": deformable,
        "deformable_interval": interval,
    }


def yolact(backbone: dict[str, Any], anchors: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "_target_": "yolact_pl.models.yolact.Yolact",
        "backbone": backbone,
        "anchors": anchors,
        "num_classes": 80,
        "channels": 256,
        "num_prototypes": 32,
        "semantic": True,
        "mask_iou": False,
        **changes,
    }


R50, R101 = [3, 4, 6, 3], [3, 4, 23, 3]
PLUS = anchors(octaves=3, square=False)
PASCAL = anchors(scales=[32, 64, 128, 256, 512], square=False)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("yolact_base", yolact(resnet(R101), anchors())),
        ("yolact_resnet50", yolact(resnet(R50), anchors())),
        ("yolact_resnet50_pascal", yolact(resnet(R50), PASCAL, num_classes=20)),
        ("yolact_plus_resnet50", yolact(resnet(R50, deformable=True), PLUS, mask_iou=True)),
    ],
)
def test_recognises_recorded_architectures(name: str, expected: dict[str, Any]) -> None:
    state = published_state(name)
    assert describe_released(state, source=name) == expected
    ours = released_names(expected)
    assert {key: value.shape for key, value in ours.items()} == {
        key: value.shape for key, value in state.items()
    }


@pytest.mark.parametrize(
    "expected",
    [
        yolact(resnet(R101, deformable=True, interval=3), PLUS, mask_iou=True),
        yolact({"_target_": "yolact_pl.models.backbones.darknet.DarkNet53"}, anchors()),
        yolact(
            resnet([2, 2, 2, 2]) | {"block": "basic"}, anchors(), num_classes=3, channels=64, semantic=False
        ),
    ],
)
def test_recognises_what_it_describes(expected: dict[str, Any]) -> None:
    assert describe_released(released_names(expected), source="") == expected


def test_darknet_names_are_the_published_ones() -> None:
    names = released_names(yolact({"_target_": "yolact_pl.models.backbones.darknet.DarkNet53"}, anchors()))
    assert names["backbone._preconv.0.weight"].shape == (32, 3, 3, 3)
    assert names["backbone.layers.2.0.0.weight"].shape == (256, 128, 3, 3)
    assert names["backbone.layers.4.4.conv2.1.running_var"].shape == (1024,)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("yolact_base_54_800000.pth", 550),
        ("yolact_im700_54_800000.pth", 700),
        ("yolact_im400.pth", 400),
        ("imagenet_yolact.pth", 550),
    ],
)
def test_image_size_is_in_the_name(name: str, size: int) -> None:
    assert released_image_size(Path("folder_im300") / name) == size


@pytest.fixture(scope="module")
def tiny_tree() -> dict[str, Any]:
    return yolact(resnet([1, 1, 1, 1]) | {"block": "basic"}, anchors(), num_classes=3, channels=8)


@pytest.fixture
def tiny_state(tiny_tree: dict[str, Any]) -> State:
    generator = torch.Generator().manual_seed(0)
    names = released_names(tiny_tree)
    return {key: torch.rand(value.shape, generator=generator).to(value.dtype) for key, value in names.items()}


def test_load_released_with_old_leftovers(tmp_path: Path, tiny_state: State) -> None:
    old = dict(tiny_state)
    old["backbone.layer1.0.conv1.weight"] = old["backbone.layers.0.0.conv1.weight"]
    old["fpn.downsample_layers.2.weight"] = torch.zeros(8, 8, 3, 3)
    path = tmp_path / "yolact_tiny_im400_1_2.pth"
    torch.save({key: value for key, value in old.items() if "num_batches_tracked" not in key}, path)
    network = load_released(path)
    assert not network.training
    assert network.backbone.pretrained
    assert network.num_classes == 3
    assert [scale for (scale,) in network.anchors.scales] == [17, 34, 69, 139, 279]
    state = network.state_dict()
    torch.testing.assert_close(state["fpn.laterals.0.weight"], tiny_state["fpn.lat_layers.2.weight"])
    torch.testing.assert_close(
        state["backbone.layer3.0.bn2.running_var"], tiny_state["backbone.layers.2.0.bn2.running_var"]
    )
    torch.testing.assert_close(
        state["head.box_deltas.bias"], tiny_state["prediction_layers.0.bbox_layer.bias"]
    )


def without(key: str) -> Callable[[State], None]:
    return lambda state: state.__delitem__(key)


def having(key: str, *shape: int) -> Callable[[State], None]:
    return lambda state: state.update({key: torch.zeros(shape)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("prediction_layers.0.bbox_layer.bias"), r"no weight prediction_layers\.0\.bbox_layer\.bias"),
        (without("backbone.layers.1.0.conv1.weight"), r"no value for backbone\.layers\.1\.0\.conv1\.weight"),
        (without("fpn.pred_layers.2.bias"), r"no value for fpn\.pred_layers\.2\.bias"),
        (having("proto_net.12.weight", 1), r"no place in this network for proto_net\.12\.weight"),
        (
            having("backbone.layers.0.0.conv9.weight", 1),
            r"no place .* for backbone\.layers\.0\.0\.conv9\.weight",
        ),
        (
            having("prediction_layers.0.mask_layer.bias", 7),
            r"wrong shape of prediction_layers\.0\.mask_layer\.bias",
        ),
        (
            having("prediction_layers.0.bbox_layer.bias", 20),
            "has 5 anchors a cell; released weights have 3, or 9",
        ),
        (having("prediction_layers.0.bbox_layer.bias", 0), "has 0 anchors a cell"),
        (having("prediction_layers.0.bbox_layer.bias"), "no weight prediction_layers"),
        (having("prediction_layers.0.conf_layer.bias", 5), "too short for any class"),
        (
            having("backbone.layers.0.99999999999.bn1.bias", 1),
            r"no value for 1?\d* weights, first backbone\.layers\.0\.1\.",
        ),
    ],
)
def test_files_that_do_not_fit(
    change: Callable[[State], None], message: str, tmp_path: Path, tiny_state: State
) -> None:
    change(tiny_state)
    torch.save(tiny_state, tmp_path / "bad.pth")
    with pytest.raises(ValueError, match=rf"bad\.pth: .*{message}"):
        load_released(tmp_path / "bad.pth")


def test_a_classifier_is_not_a_released_network(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(1), "fc.weight": torch.zeros(1)}, tmp_path / "resnet.pth")
    with pytest.raises(
        ValueError, match=r"resnet\.pth: no weight prediction_layers.*not a released YOLACT network"
    ):
        load_released(tmp_path / "resnet.pth")


def test_truncated_file(tmp_path: Path, tiny_state: State) -> None:
    path = tmp_path / "cut.pth"
    torch.save(tiny_state, path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"cut\.pth is damaged or not a PyTorch file \(5000 bytes\)"):
        load_released(path)


def test_other_class_count_than_the_network(tiny_tree: dict[str, Any], tiny_state: State) -> None:
    network = build_network(tiny_tree | {"num_classes": 4})
    with pytest.raises(ValueError, match=r"wrong shape of .*conf_layer.*class count"):
        load_released_weights(network, tiny_state, source="file.pth")  # pyright: ignore
