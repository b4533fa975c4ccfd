"""Packed convolutions against ordinary ones."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ops.dcnv2 import ModulatedDeformConv2d
from yolact_pl.models.conv_relu import ConvRelu
from yolact_pl.models.fast.packed_conv import PackedConv2d, PackedDeformConv2d


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("relu", [False, True])
@torch.inference_mode()
def test_sum_and_relu_for_any_size_of_the_input(dtype: torch.dtype, relu: bool) -> None:
    torch.manual_seed(0)
    conv = (ConvRelu if relu else nn.Conv2d)(3, 24, 3, padding=1).to(dtype)
    packed = PackedConv2d(conv)
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


@torch.inference_mode()
def test_weights_are_kept_once() -> None:
    packed = PackedConv2d(nn.Conv2d(3, 4, 3))
    packed(torch.randn(1, 3, 8, 8))
    kept = packed._packed
    packed(torch.randn(2, 3, 20, 9))
    assert packed._packed is kept


@pytest.mark.parametrize("relu", [False, True])
@torch.inference_mode()
def test_deformable_convolution_with_sum_and_relu(relu: bool) -> None:
    torch.manual_seed(0)
    conv = ModulatedDeformConv2d(3, 4, 3, padding=1)
    nn.init.normal_(conv.conv_offset_mask.weight, std=0.1)
    x, add = torch.randn(1, 3, 6, 7), torch.randn(1, 4, 6, 7)
    packed = PackedDeformConv2d(conv, relu=relu)
    for found, expected in ((packed(x), conv(x)), (packed(x, add=add), conv(x) + add)):
        torch.testing.assert_close(found, expected.relu() if relu else expected)


def test_has_gradients() -> None:
    conv = nn.Conv2d(3, 4, 3, padding=1)
    x, add = torch.randn(1, 3, 6, 7, requires_grad=True), torch.randn(1, 4, 6, 7, requires_grad=True)
    found = torch.autograd.grad(PackedConv2d(conv, relu=True)(x, add=add).sum(), (x, add))
    expected = torch.autograd.grad((conv(x) + add).relu().sum(), (x, add))
    torch.testing.assert_close(found, expected)
