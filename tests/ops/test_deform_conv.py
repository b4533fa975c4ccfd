import math

import pytest
import torch
from torch import Tensor, nn

import ops.dcnv2.deform_conv as deform_conv_file
from ops.dcnv2 import ModulatedDeformConv2d
from ops.dcnv2.deform_conv import deform_conv, gathered_deform_conv, kernel_deform_conv

GEOMETRIES = [(3, 1, 1), (3, 2, 1), (3, 1, 0), (1, 1, 0), (5, 2, 2)]  # kernel, stride, padding


def inputs(
    kernel: int,
    stride: int,
    padding: int,
    *,
    dtype: torch.dtype = torch.float64,
    spread: float = 2.0,
    size: tuple[int, int] = (7, 6),
) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    h, w = ((side + 2 * padding - kernel) // stride + 1 for side in size)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype)

    taps = kernel * kernel
    return [
        normal(2, 3, *size),
        spread * normal(2, 2 * taps, h, w),
        normal(2, taps, h, w).sigmoid(),
        normal(4, 3, kernel, kernel),
        normal(4),
    ]


def pixel(x: Tensor, channel: int, row: int, column: int) -> float:
    inside = 0 <= row < x.shape[1] and 0 <= column < x.shape[2]
    return float(x[channel, row, column]) if inside else 0.0


def loop_deform_conv(
    x: Tensor, offsets: Tensor, modulation: Tensor, weight: Tensor, bias: Tensor, *, stride: int, padding: int
) -> Tensor:
    """The formula, one multiplication at a time: y(p) = b + sum_k w_k x(p + p_k + offset_k) modulation_k."""
    num_out, num_in, kernel, _ = weight.shape
    b, _, h, w = modulation.shape
    y = torch.zeros(b, num_out, h, w, dtype=x.dtype)
    for n, row, column, tap in torch.cartesian_prod(*map(torch.arange, (b, h, w, kernel * kernel))).tolist():
        py = row * stride - padding + tap // kernel + float(offsets[n, 2 * tap, row, column])
        px = column * stride - padding + tap % kernel + float(offsets[n, 2 * tap + 1, row, column])
        top, left = math.floor(py), math.floor(px)
        for i in range(num_in):
            value = 0.0
            for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
                part = (1 - abs(py - top - dy)) * (1 - abs(px - left - dx))
                value += part * pixel(x[n], i, top + dy, left + dx)
            value *= float(modulation[n, tap, row, column])
            y[n, :, row, column] += weight[:, i, tap // kernel, tap % kernel] * value
    return y + bias[None, :, None, None]


@pytest.mark.parametrize(("kernel", "stride", "padding"), GEOMETRIES)
@pytest.mark.parametrize("formulation", [gathered_deform_conv, kernel_deform_conv])
def test_is_the_formula(formulation, kernel: int, stride: int, padding: int) -> None:
    arguments = inputs(kernel, stride, padding)
    expected = loop_deform_conv(*arguments, stride=stride, padding=padding)
    torch.testing.assert_close(formulation(*arguments, stride=stride, padding=padding), expected)


@pytest.mark.parametrize(("kernel", "stride", "padding"), GEOMETRIES)
def test_gradients_are_those_of_torchvision(kernel: int, stride: int, padding: int) -> None:
    gradients = []
    for formulation in (gathered_deform_conv, kernel_deform_conv):
        arguments = [value.requires_grad_() for value in inputs(kernel, stride, padding)]
        output = formulation(*arguments, stride=stride, padding=padding)
        (output * torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output)).sum().backward()
        gradients.append([value.grad for value in arguments])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_gradcheck() -> None:
    arguments = [value.requires_grad_() for value in inputs(3, 1, 1, size=(3, 2))]
    torch.autograd.gradcheck(lambda *values: gathered_deform_conv(*values, stride=1, padding=1), arguments)


@pytest.mark.parametrize("offset", [1e4, -1e4, float("inf"), -float("inf")])
def test_far_offsets_read_zero(offset: float) -> None:
    x, offsets, modulation, weight, bias = inputs(3, 1, 1)
    far = torch.full_like(offsets, offset)
    y = gathered_deform_conv(x, far, modulation, weight, bias, stride=1, padding=1)
    torch.testing.assert_close(y, bias[None, :, None, None].expand_as(y))


@pytest.mark.parametrize("offset", [-8.0, -7.0, -1.0, 1.0, 6.0, 7.0])
def test_whole_offsets_to_the_border(offset: float) -> None:
    x, offsets, modulation, weight, bias = inputs(3, 1, 1)
    shifted = torch.full_like(offsets, offset)
    expected = loop_deform_conv(x, shifted, modulation, weight, bias, stride=1, padding=1)
    y = gathered_deform_conv(x, shifted, modulation, weight, bias, stride=1, padding=1)
    torch.testing.assert_close(y, expected)


def test_nan_offsets_give_nan_not_an_index_error() -> None:
    x, offsets, modulation, weight, bias = inputs(3, 1, 1)
    offsets[0, 0, 0, 0] = float("nan")
    y = gathered_deform_conv(x, offsets, modulation, weight, bias, stride=1, padding=1)
    assert y[0, :, 0, 0].isnan().all()
    assert y[1].isfinite().all()


def test_chunks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = inputs(3, 1, 1)
    whole = gathered_deform_conv(*arguments, stride=1, padding=1)
    monkeypatch.setattr(deform_conv_file, "MAX_SAMPLED_VALUES", 1)
    torch.testing.assert_close(gathered_deform_conv(*arguments, stride=1, padding=1), whole)


def test_channels_last_gives_the_same() -> None:
    arguments = inputs(3, 1, 1, dtype=torch.float32)
    plain = deform_conv(*arguments, stride=1, padding=1)
    arguments[0] = arguments[0].contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(deform_conv(*arguments, stride=1, padding=1), plain)


def test_fresh_module_is_a_convolution_at_half_strength() -> None:
    torch.manual_seed(0)
    module = ModulatedDeformConv2d(3, 4, 3, stride=2, padding=1)
    x = torch.randn(2, 3, 9, 8)
    # No offsets, and a modulation of sigmoid(0) = 1 / 2.
    plain = nn.functional.conv2d(x, module.weight / 2, module.bias, stride=2, padding=1)
    torch.testing.assert_close(module(x), plain)
    assert set(module.state_dict()) == {"weight", "bias", "conv_offset_mask.weight", "conv_offset_mask.bias"}


def test_autocast_keeps_positions_precise() -> None:
    torch.manual_seed(0)
    module = ModulatedDeformConv2d(3, 4, 3, padding=1)
    nn.init.normal_(module.conv_offset_mask.weight, std=0.2)
    x = torch.randn(1, 3, 7, 300)
    expected = module(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual = module(x)
        (actual.float() ** 2).mean().backward()
    assert module.weight.grad is not None
    # bfloat16 has 8 bits: an offset near 1 is wrong by 1/256, a position near 300 would be by 1.
    assert (actual.float() - expected).abs().mean() < 0.03 * expected.abs().mean()
