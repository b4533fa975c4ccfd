"""A convolution with what follows it against the modules one after the other."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ops.dcnv2 import ModulatedDeformConv2d
from yolact_pl.models.conv_unit import conv_norm, conv_norm_relu, conv_relu
from yolact_pl.models.fast.packed_conv import MAX_SHAPES, PackedConv2d, PackedDeformConv2d


def make_norm(channels: int) -> nn.BatchNorm2d:
    """One that does something."""
    norm = nn.BatchNorm2d(channels).double()
    for value in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(value)
    nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return norm


def gradients(y: Tensor, *modules: nn.Module) -> list[Tensor | None]:
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    return list(torch.autograd.grad((y * torch.arange(y.numel()).view_as(y)).sum(), parameters))


@pytest.mark.parametrize("state", ["frozen", "evaluation", "training"])
@pytest.mark.parametrize("deformable", [False, True])
@pytest.mark.parametrize("shortcut", [False, True])
def test_equals_one_after_the_other(state: str, deformable: bool, shortcut: bool) -> None:
    torch.manual_seed(0)
    conv = ModulatedDeformConv2d(3, 4, 3, padding=1) if deformable else nn.Conv2d(3, 4, 3, 2, 1, bias=False)
    conv = conv.double()
    norm = make_norm(4).train(state == "training").requires_grad_(state != "frozen")
    reference = copy.deepcopy(norm)
    x = torch.randn(2, 3, 6, 7, dtype=torch.float64)
    expected = norm_output = reference(conv(x))
    assert torch.allclose(conv_norm(conv, copy.deepcopy(norm), x), norm_output)
    add = torch.randn_like(expected) if shortcut else None
    kept = torch.zeros(0) if add is None else add.clone()
    expected = F.relu(expected if add is None else expected + add)
    found = conv_norm_relu(conv, norm, x, add=add)
    torch.testing.assert_close(found, expected)
    assert add is None or torch.equal(add, kept)
    for ours, theirs in zip(gradients(found, conv, norm), gradients(expected, conv, reference), strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(norm.state_dict(), reference.state_dict())


def test_frozen_norm_makes_no_pass_over_the_map() -> None:
    conv, norm = nn.Conv2d(3, 4, 3, bias=False), make_norm(4).float().eval()
    with torch.profiler.profile() as profile:
        conv_norm_relu(conv, norm, torch.randn(1, 3, 9, 9))
    assert not any("batch_norm" in event.key for event in profile.key_averages())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_packed_convolution_adds_and_cuts_on_the_way_out(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 4, 3, padding=1).to(dtype)
    packed = PackedConv2d(conv)
    # With more shapes than it keeps weights for.
    for side in range(5, 5 + MAX_SHAPES + 2):
        x, add = torch.randn(1, 3, side, 6).to(dtype), torch.randn(1, 4, side, 6).to(dtype)
        kept = x.clone()
        exact = F.conv2d(x.float(), conv.weight.float(), conv.bias.float(), padding=1)
        for found, expected in (
            (packed(x), exact),
            (conv_relu(packed, x), exact.relu()),
            (packed(x, add=add.clone()), exact + add),
            (conv_norm_relu(packed, nn.Identity(), x, add=add.clone()), (exact + add).relu()),
        ):
            assert found.dtype == dtype
            rough = dtype == torch.bfloat16
            torch.testing.assert_close(
                found.float(), expected, rtol=0.02 if rough else 1e-5, atol=0.02 if rough else 1e-5
            )
        assert torch.equal(x, kept)


@torch.inference_mode()
def test_packed_deformable_convolution_cuts_on_the_way_out() -> None:
    torch.manual_seed(0)
    conv = ModulatedDeformConv2d(3, 4, 3, padding=1)
    nn.init.normal_(conv.conv_offset_mask.weight, std=0.1)
    x, add = torch.randn(1, 3, 6, 7), torch.randn(1, 4, 6, 7)
    packed = PackedDeformConv2d(conv)
    torch.testing.assert_close(conv_norm_relu(packed, nn.Identity(), x), conv(x).relu())
    torch.testing.assert_close(conv_norm_relu(packed, nn.Identity(), x, add=add), (conv(x) + add).relu())


def test_packed_convolution_has_gradients() -> None:
    conv = nn.Conv2d(3, 4, 3, padding=1)
    x, add = torch.randn(1, 3, 6, 7, requires_grad=True), torch.randn(1, 4, 6, 7, requires_grad=True)
    found = torch.autograd.grad(PackedConv2d(conv)(x, add=add, relu=True).sum(), (x, add))
    expected = torch.autograd.grad((conv(x) + add).relu().sum(), (x, add))
    torch.testing.assert_close(found, expected)
