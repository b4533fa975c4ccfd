import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from yolact_pl.models.backbones.timm import TimmBackbone


@pytest.mark.parametrize(
    "name", ["resnet10t", "mobilenetv3_small_050", "convnext_atto", "swinv2_cr_tiny_ns_224"]
)
def test_channels_are_those_of_the_maps(name: str) -> None:
    backbone = TimmBackbone(name).eval()
    size = 224 if "224" in name else 64
    with torch.no_grad():
        features = backbone(torch.randn(1, 3, size, size))
    assert tuple(feature.shape[1] for feature in features) == backbone.channels
    assert [feature.shape[-1] for feature in features] == [size // 4, size // 8, size // 16, size // 32]
    assert not backbone.pretrained


def test_normalisation_is_the_models_own() -> None:
    backbone = TimmBackbone("mobilenetv3_small_050")
    assert backbone.mean == pytest.approx((255 * 0.485, 255 * 0.456, 255 * 0.406))
    assert backbone.std == pytest.approx((255 * 0.229, 255 * 0.224, 255 * 0.225))
    assert TimmBackbone("mobilenetv2_100").mean == pytest.approx((255 * 0.485, 255 * 0.456, 255 * 0.406))
    assert TimmBackbone("tf_mobilenetv3_small_minimal_100").std == pytest.approx((127.5, 127.5, 127.5))


def test_all_of_it_trains() -> None:
    backbone = TimmBackbone("resnet10t")
    sum(feature.mean() for feature in backbone(torch.randn(2, 3, 64, 64))).backward()  # pyright: ignore
    assert [name for name, p in backbone.named_parameters() if p.grad is None] == []


def test_weights_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.manual_seed(0)
    source = timm.create_model("resnet10t", num_classes=7)
    torch.save(source.state_dict(), path)
    backbone = TimmBackbone("resnet10t", weights=path).eval()
    assert backbone.pretrained
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(backbone(x)[-1], source.eval().forward_features(x))
    with pytest.raises(ValueError, match=r"weights=.*weights\.pth: not of timm's mobilenetv3_small_050"):
        TimmBackbone("mobilenetv3_small_050", weights=path)
    with pytest.raises(ValueError, match=r"nowhere\.pth does not exist"):
        TimmBackbone("resnet10t", weights="nowhere.pth")


def test_no_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model

    def without_network(name: str, *, pretrained: bool = False, **options: Any) -> Any:
        if pretrained:
            raise FileNotFoundError("not on the Hub")
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", without_network)
    with pytest.raises(
        ValueError, match=r"timm's weights of resnet10t \(not on the Hub\); set backbone\.weights="
    ):
        TimmBackbone("resnet10t", weights="imagenet")


def test_models_without_a_pyramid_are_refused() -> None:
    with pytest.raises(ValueError, match=r"strides \[.*\], but 4, 8, 16 and 32 are needed; choose"):
        TimmBackbone("vit_tiny_patch16_224")


def test_unknown_model() -> None:
    with pytest.raises(ValueError, match="timm has no model 'resnet5O'"):
        TimmBackbone("resnet5O")


def test_without_the_package_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"pip install yolact-pl\[timm\]"):
        TimmBackbone("resnet10t")
