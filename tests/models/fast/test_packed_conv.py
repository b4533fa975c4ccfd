"""Packed convolutions against ordinary ones."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ops.dcnv2 import ModulatedDeformConv2d
from yolact_pl.models.conv_relu import ConvRelu
from yolact_pl.models.fast.packed_conv import (
    Activation,
    PackedConv2d,
    PackedDeformConv2d,
    PackedWeights,
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("relu", [False, True])
@torch.inference_mode()
def test_sum_and_relu_for_any_size_of_the_input(dtype: torch.dtype, relu: bool) -> None:
    torch.manual_seed(0)
    conv = (ConvRelu if relu else nn.Conv2d)(3, 24, 3, padding=1).to(dtype)
    packed = PackedConv2d(conv, PackedWeights())
    tolerance = 0.02 if dtype == torch.bfloat16 else 1e-5
    for side in (5, 40, 6, 1):
        x, add = torch.randn(2, 3, side, 6).to(dtype), torch.randn(2, 24, side, 6).to(dtype)
        kept = x.clone()
        exact = F.conv2d(x.float(), conv.weight.float(), conv.bias.float(), padding=1)
        for found, expected in ((packed(x), exact), (packed(x, add=add.clone()), exact + add)):
            assert found.dtype == dtype
            expected = expected.relu() if relu else expected
            torch.testing.assert_close(found.float(), expected, rtol=tolerance, atol=tolerance)
        assert torch.equal(x, kept)


@pytest.mark.parametrize("groups", [1, 8])
@torch.inference_mode()
def test_relu6(groups: int) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 16, 3, stride=2, padding=1, groups=groups)
    x = 9 * torch.randn(2, 8, 7, 6)
    found = PackedConv2d(conv, PackedWeights(), activation="relu6")(x)
    torch.testing.assert_close(found, conv(x).clamp(0, 6))
    assert found.max() == 6


@torch.inference_mode()
def test_memory_is_bounded_and_the_last_shapes_are_kept() -> None:
    weights = PackedWeights()
    first, second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
    chain = nn.Sequential(PackedConv2d(first, weights), PackedConv2d(second, weights))
    for side in range(8, 16):
        chain(torch.randn(1, 3, side, 8))
        assert weights.size <= 2 * (first.weight.nbytes + second.weight.nbytes)
    kept = [weights.packed(first, torch.Size((1, 3, side, 8))) for side in (15, 14)]
    for side in (14, 15):
        chain(torch.randn(1, 3, side, 8))
    assert all(
        weights.packed(first, torch.Size((1, 3, s, 8))) is w for s, w in zip((15, 14), kept, strict=True)
    )


@pytest.mark.parametrize("activation", ["none", "relu"])
@torch.inference_mode()
def test_deformable_convolution_with_sum_and_activation(activation: Activation) -> None:
    torch.manual_seed(0)
    conv = ModulatedDeformConv2d(3, 4, 3, padding=1)
    nn.init.normal_(conv.conv_offset_mask.weight, std=0.1)
    x, add = torch.randn(1, 3, 6, 7), torch.randn(1, 4, 6, 7)
    packed = PackedDeformConv2d(conv, PackedWeights(), activation=activation)
    for found, expected in ((packed(x), conv(x)), (packed(x, add=add), conv(x) + add)):
        torch.testing.assert_close(found, expected.relu() if activation == "relu" else expected)


@pytest.mark.parametrize("activation", ["none", "relu", "relu6"])
def test_has_gradients(activation: Activation) -> None:
    conv = nn.Conv2d(3, 4, 3, padding=1)
    packed = PackedConv2d(conv, PackedWeights(), activation=activation)
    x, add = 9 * torch.randn(1, 3, 6, 7, requires_grad=True), torch.randn(1, 4, 6, 7, requires_grad=True)
    found = torch.autograd.grad(packed(x, add=add).sum(), (x, add))
    lowest, highest = {"none": (None, torch.inf), "relu": (0, None), "relu6": (0, 6)}[activation]
    expected = torch.autograd.grad((conv(x) + add).clamp(lowest, highest).sum(), (x, add))
    torch.testing.assert_close(found, expected)
