"""The network made for prediction against the one that is trained."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from tests.fake_gpu import FakeGpu
from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.backbone import Backbone
from yolact_pl.models.backbones.efficientnet_lite import FEATURES, EfficientNetLite0
from yolact_pl.models.backbones.resnet import ResNet
from yolact_pl.models.fast.fusing import fuse_batch_norm
from yolact_pl.models.fast.inference_copy import inference_copy
from yolact_pl.models.yolact import Yolact

BACKBONES: dict[str, Callable[[], Backbone]] = {
    "basic": partial(ResNet, [2, 2, 2, 2], block="basic"),
    "basic, deformable": partial(ResNet, [2, 2, 2, 2], block="basic", deformable=True),
    "bottleneck": partial(ResNet, [2, 2, 2, 2]),
    "bottleneck, deformable": partial(ResNet, [2, 2, 2, 2], deformable=True),
    "lite0": EfficientNetLite0,
}


def tiny(backbone: str) -> Yolact:
    """Blocks with and without projection, batch norm that does something, and offsets that are not zero."""
    torch.manual_seed(0)
    anchors = Anchors([24, 48, 96, 192, 384], [1, 0.5, 2])
    network = Yolact(
        BACKBONES[backbone](), anchors, num_classes=3, channels=16, num_prototypes=4, mask_iou=True
    )
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.3, 0.7)
        if name.endswith("conv_offset_mask"):
            nn.init.normal_(module.weight, std=0.02)
    return network.eval()


@pytest.mark.parametrize("backbone", BACKBONES)
def test_copy_differs_by_rounding_and_leaves_the_network_alone(backbone: str) -> None:
    network = tiny(backbone)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    copied = inference_copy(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in copied.modules())
    for size in ((64, 96), (70, 50)):
        images = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
        with torch.inference_mode():
            expected, found = network(images), copied(images)
            again = copied(images)
        for name in ("class_logits", "box_deltas", "coefficients", "prototypes", "anchors"):
            torch.testing.assert_close(
                getattr(found, name), getattr(expected, name), rtol=1e-4, atol=1e-4, msg=name
            )
            assert torch.equal(getattr(found, name), getattr(again, name))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_what_is_on_a_gpu_without_float64_fuses_and_predicts() -> None:
    network = tiny("basic, deformable")
    with FakeGpu(may_wait=True, like_mps=True), torch.no_grad():
        network.to("cuda")
        fuse_batch_norm(network)
        found = network(torch.zeros(1, 3, 64, 96, dtype=torch.uint8, device="cuda"))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert found.prototypes.is_cuda
    assert found.prototypes.shape == (1, 4, 16, 24)


@pytest.mark.parametrize("backbone", ["basic", "lite0"])
@torch.inference_mode()
def test_features_stay_as_they_were_given(backbone: str) -> None:
    """Blocks of the copy write over their input: never over a feature map."""
    copied = inference_copy(tiny(backbone)).backbone
    parts: list[nn.Module] = (
        [copied.layer1, copied.layer2, copied.layer3, copied.layer4]
        if isinstance(copied, ResNet)
        else [copied.get_submodule(f"blocks.{index}") for index in FEATURES]
    )
    given: list[tuple[torch.Tensor, torch.Tensor]] = []
    for part in parts:
        part.register_forward_hook(lambda module, x, y: given.append((y, y.clone())))
    features = copied(torch.randn(1, 3, 64, 96))
    assert all(found is now for found, (now, _) in zip(features, given, strict=True))
    assert all(torch.equal(now, then) for now, then in given)
