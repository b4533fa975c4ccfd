from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from ops.dcnv2 import ModulatedDeformConv2d
from yolact_pl.models.backbones.resnet import ResNet

SMALL = (1, 1, 1, 1)


def torchvision_features(network: nn.Module, x: Tensor) -> list[Tensor]:
    layers = {"layer1": "c2", "layer2": "c3", "layer3": "c4", "layer4": "c5"}
    return list(torchvision.models._utils.IntermediateLayerGetter(network, layers)(x).values())


@pytest.mark.parametrize(
    ("depths", "block", "reference"),
    [((2, 2, 2, 2), "basic", "resnet18"), ((3, 4, 6, 3), "bottleneck", "resnet50")],
)
def test_is_torchvisions_network(depths: tuple[int, ...], block: Any, reference: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.get_model(reference).eval()
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    ours = ResNet(depths, block=block, weights=tmp_path / "weights.pth").eval()
    # Ours multiplies in another order: in 64 bits rounding hides nothing.
    x = torch.randn(1, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        features, expected = ours.double()(x), torchvision_features(theirs.double(), x)
    assert tuple(feature.shape[1] for feature in features) == ours.channels
    for feature, reference_feature in zip(features, expected, strict=True):
        torch.testing.assert_close(feature, reference_feature)
    assert ours.pretrained
    assert not ResNet(SMALL).pretrained


def test_loads_the_published_stage_names(tmp_path: Path) -> None:
    source = ResNet(SMALL)
    renamed = {}
    for key, value in source.state_dict().items():
        if not key.endswith("num_batches_tracked"):  # files of that age do not have them
            stage = key.removeprefix("layer")
            renamed[f"layers.{int(stage[0]) - 1}{stage[1:]}" if key.startswith("layer") else key] = value
    renamed["fc.weight"] = torch.zeros(1000, 2048)
    torch.save(renamed, tmp_path / "published.pth")
    loaded = ResNet(SMALL, weights=tmp_path / "published.pth")
    torch.testing.assert_close(dict(loaded.state_dict()), dict(source.state_dict()))


def test_plain_weights_start_a_deformable_network(tmp_path: Path) -> None:
    source = ResNet(SMALL)
    torch.save(source.state_dict(), tmp_path / "plain.pth")
    loaded = ResNet(SMALL, weights=tmp_path / "plain.pth", deformable=True)
    kernel = loaded.state_dict()["layer3.0.conv2.weight"]
    torch.testing.assert_close(kernel, source.state_dict()["layer3.0.conv2.weight"])
    assert not loaded.state_dict()["layer3.0.conv2.conv_offset_mask.weight"].any()


@pytest.mark.parametrize(
    ("depths", "interval", "expected"),
    [
        ((3, 4, 6, 3), 1, [[0, 1, 2, 3], [0, 1, 2, 3, 4, 5], [0, 1, 2]]),
        ((3, 4, 23, 3), 3, [[0, 3], [0, 3, 6, 9, 12, 15, 18, 21], [0]]),
    ],
)
def test_where_blocks_are_deformable(
    depths: tuple[int, ...], interval: int, expected: list[list[int]]
) -> None:
    with torch.device("meta"):
        network = ResNet(depths, deformable=True, deformable_interval=interval)
    found = [
        [i for i, block in enumerate(stage) if isinstance(block.conv2, ModulatedDeformConv2d)]  # pyright: ignore
        for stage in (network.layer2, network.layer3, network.layer4)
    ]
    assert found == expected
    assert not any(isinstance(module, ModulatedDeformConv2d) for module in network.layer1.modules())


def test_deformable_basic_blocks_train() -> None:
    torch.manual_seed(0)
    network = ResNet(SMALL, block="basic", deformable=True)
    sum(feature.square().mean() for feature in network(torch.randn(2, 3, 64, 64))).backward()  # pyright: ignore
    convs = [module for module in network.modules() if isinstance(module, ModulatedDeformConv2d)]
    assert len(convs) == 3
    assert all(conv.conv_offset_mask.weight.grad.any() for conv in convs)  # pyright: ignore


def test_strides_of_a_rectangle() -> None:
    features = ResNet(SMALL)(torch.zeros(1, 3, 100, 200))
    # 100 -> 50 -> 25 -> 13 -> 7 -> 4, rounded up each time
    assert [tuple(feature.shape[-2:]) for feature in features] == [(25, 50), (13, 25), (7, 13), (4, 7)]


def test_no_network_and_no_cache_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(ValueError, match="no route to host") as error:
        ResNet((3, 4, 6, 3), weights="imagenet")
    message = str(error.value)
    assert "https://download.pytorch.org/models/resnet50-0676ba61.pth" in message
    assert str(tmp_path / "checkpoints" / "resnet50-0676ba61.pth") in message
    assert "backbone.weights=null" in message
    assert "backbone.weights=<path" in message


def test_cached_imagenet_weights_need_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    theirs = torchvision.models.resnet18().state_dict()
    (tmp_path / "checkpoints").mkdir()
    torch.save(theirs, tmp_path / "checkpoints" / "resnet18-f37072fd.pth")
    loaded = ResNet((2, 2, 2, 2), block="basic", weights="imagenet")
    torch.testing.assert_close(loaded.state_dict()["layer4.1.conv2.weight"], theirs["layer4.1.conv2.weight"])


def test_no_imagenet_weights_for_other_depths() -> None:
    with pytest.raises(ValueError, match=r"no ImageNet weights for a ResNet of depths \[1, 1, 1, 1\]"):
        ResNet(SMALL, weights="imagenet")
