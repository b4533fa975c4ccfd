import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from yolact_pl.models.upsampled_conv import UpsampledConv2d


def make_case(height: int, width: int, dtype: torch.dtype = torch.float64) -> tuple[UpsampledConv2d, Tensor]:
    torch.manual_seed(0)
    conv = UpsampledConv2d(3, 5).to(dtype)
    maps = torch.randn(2, 3, height, width, dtype=dtype)
    return conv, maps.to(memory_format=torch.channels_last).requires_grad_()


def enlarge_and_convolve(conv: UpsampledConv2d, x: Tensor) -> Tensor:
    enlarged = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return F.conv2d(enlarged, conv.weight, conv.bias, padding=1)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 1), (3, 2), (6, 7)])
def test_output_and_gradients_are_those_of_the_enlarged_map_convolved(size):
    conv, x = make_case(*size)
    given, expected = conv(x), enlarge_and_convolve(conv, x)
    torch.testing.assert_close(given, expected)
    weights = torch.randn_like(expected)
    leaves = (x, conv.weight, conv.bias)
    gradients = [torch.autograd.grad(y, leaves, weights) for y in (given, expected)]
    for gradient, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_memory_format_is_kept(memory_format):
    conv, x = make_case(6, 7)
    conv.to(memory_format=memory_format)
    assert conv(x.to(memory_format=memory_format)).is_contiguous(memory_format=memory_format)


def test_autocast_computes_in_its_type():
    conv, x = make_case(6, 7, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        given = conv(x)
    assert given.dtype == torch.bfloat16
    torch.testing.assert_close(given.float(), enlarge_and_convolve(conv, x), rtol=0.02, atol=0.05)
    gradients = torch.autograd.grad(given.float().square().sum(), (x, conv.weight, conv.bias))
    expected = torch.autograd.grad(enlarge_and_convolve(conv, x).square().sum(), (x, conv.weight, conv.bias))
    for gradient, wanted in zip(gradients, expected, strict=True):
        assert gradient.dtype == torch.float32
        assert (gradient - wanted).norm() < 0.02 * wanted.norm()
