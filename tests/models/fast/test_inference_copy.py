"""The network made for prediction against the one that is trained."""

from typing import Literal

import pytest
import torch
from torch import nn

from tests.fake_gpu import FakeGpu
from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.resnet import ResNet
from yolact_pl.models.fast.fusing import fuse_batch_norm
from yolact_pl.models.fast.inference_copy import inference_copy
from yolact_pl.models.yolact import Yolact


def tiny(*, deformable: bool, block: Literal["basic", "bottleneck"] = "basic") -> Yolact:
    """Blocks with and without projection, batch norm that does something, and offsets that are not zero."""
    torch.manual_seed(0)
    backbone = ResNet([2, 2, 2, 2], block=block, deformable=deformable)
    anchors = Anchors([24, 48, 96, 192, 384], [1, 0.5, 2])
    network = Yolact(backbone, anchors, num_classes=3, channels=16, num_prototypes=4, mask_iou=deformable)
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.3, 0.7)
        if name.endswith("conv_offset_mask"):
            nn.init.normal_(module.weight, std=0.02)
    return network.eval()


@pytest.mark.parametrize("deformable", [False, True])
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_copy_differs_by_rounding_and_leaves_the_network_alone(
    deformable: bool, block: Literal["basic", "bottleneck"]
) -> None:
    network = tiny(deformable=deformable, block=block)
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
    network = tiny(deformable=True)
    with FakeGpu(may_wait=True, like_mps=True), torch.no_grad():
        network.to("cuda")
        fuse_batch_norm(network)
        found = network(torch.zeros(1, 3, 64, 96, dtype=torch.uint8, device="cuda"))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert found.prototypes.is_cuda
    assert found.prototypes.shape == (1, 4, 16, 24)


@torch.inference_mode()
def test_features_stay_as_they_were_given() -> None:
    """Blocks of the copy write over their input: never over what a stage gave."""
    copied = inference_copy(tiny(deformable=False))
    given: list[tuple[torch.Tensor, torch.Tensor]] = []
    backbone = copied.backbone
    for stage in (backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4):
        stage.register_forward_hook(lambda module, x, y: given.append((y, y.clone())))
    copied(torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8))
    assert len(given) == 4
    assert all(torch.equal(now, then) for now, then in given)
