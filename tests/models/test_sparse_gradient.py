import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.models import sparse_gradient
from yolact_pl.models.sparse_gradient import conv_with_sparse_gradient


def make_case(dtype: torch.dtype = torch.float64) -> tuple[nn.Conv2d, Tensor]:
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 6, 3, padding=1).to(dtype)
    return conv, torch.randn(2, 4, 9, 7, dtype=dtype).requires_grad_()


def gradient_of_cells(num_cells: int) -> Tensor:
    """[2, 6, 9, 7], zero but at so many cells, those in the corners first."""
    grad = torch.zeros(2, 6, 9, 7, dtype=torch.float64)
    corners = [(image, row, column) for image in (0, 1) for row in (0, 8) for column in (0, 6)]
    others = torch.cartesian_prod(*map(torch.arange, (2, 9, 7))).tolist()
    for image, row, column in [*corners, *others][:num_cells]:
        grad[image, :, row, column] = torch.randn(6, dtype=torch.float64)
    return grad


@pytest.mark.parametrize("num_cells", [0, 1, 8, 19, 134], ids=lambda n: f"{n} cells")
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_gradients_are_those_of_the_convolution(num_cells, memory_format):
    conv, x = make_case()
    conv.to(memory_format=memory_format)
    x = x.detach().to(memory_format=memory_format).requires_grad_()
    grad = gradient_of_cells(num_cells).to(memory_format=memory_format)
    leaves = (x, conv.weight, conv.bias)
    given, expected = conv_with_sparse_gradient(conv, x), conv(x)
    torch.testing.assert_close(given, expected)
    gradients = [torch.autograd.grad(y, leaves, grad) for y in (given, expected)]
    for gradient, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize(("num_cells", "dense"), [(20, False), (22, True)])
def test_goes_through_all_cells_where_many_have_a_gradient(num_cells, dense, monkeypatch):
    # A sixth of 126 cells is 21.
    called = []

    def conv2d_input(*args, **kwargs):
        called.append(True)
        return torch.nn.grad.conv2d_input(*args, **kwargs)

    monkeypatch.setattr(sparse_gradient, "conv2d_input", conv2d_input)
    conv, x = make_case()
    grad = torch.zeros(2, 6, 9, 7, dtype=torch.float64)
    grad.view(2, 6, -1)[0, :, :num_cells] = 1
    conv_with_sparse_gradient(conv, x).backward(grad)
    assert bool(called) == dense


def test_a_gradient_that_is_not_finite_is_passed_on():
    conv, x = make_case()
    grad = gradient_of_cells(1)
    grad[0, 0, 0, 0] = float("nan")
    conv_with_sparse_gradient(conv, x).backward(grad)
    assert conv.weight.grad.isnan().any()
    assert x.grad[0, :, 0, 0].isnan().all()


def test_autocast_computes_in_its_type():
    conv, x = make_case(torch.float32)
    grad = gradient_of_cells(8).float()
    with torch.autocast("cpu", torch.bfloat16):
        given = conv_with_sparse_gradient(conv, x)
    assert given.dtype == torch.bfloat16
    expected = F.conv2d(x, conv.weight, conv.bias, padding=1)
    torch.testing.assert_close(given.float(), expected, rtol=0.02, atol=0.02)
    leaves = (x, conv.weight, conv.bias)
    gradients = torch.autograd.grad(given, leaves, grad.bfloat16())
    for gradient, wanted in zip(gradients, torch.autograd.grad(expected, leaves, grad), strict=True):
        assert gradient.dtype == torch.float32
        assert (gradient - wanted).norm() < 0.02 * wanted.norm()
