"""A convolution that goes backwards only through the cells that have a gradient."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_input, conv2d_weight

MAX_SHARE = 1 / 6
"""Of the cells: where more have a gradient, gathering them costs more than it saves."""


def conv_with_sparse_gradient(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """`conv(x)`; its gradient on the CPU takes time as far as it is not zero.

    The loss looks at the positive anchors and at some background ones, a few hundred of 19,248, and all other
    cells of the head's outputs have no gradient.

    Args:
        conv: 3x3, stride 1, padding 1, with bias.
        x: [B, I, H, W].
    """
    if not (x.requires_grad and x.is_cpu) or torch.compiler.is_compiling():
        return conv(x)
    assert conv.bias is not None
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    return _SparseGradient.apply(x.to(dtype), conv.weight.to(dtype), conv.bias.to(dtype))


class _SparseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """[B, I, H, W], [O, I, 3, 3] and [O] to [B, O, H, W]."""
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, padding=1)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        grad = grad_outputs[0]
        image, row, column = grad.ne(0).any(1).nonzero(as_tuple=True)
        if len(image) > MAX_SHARE * grad[:, 0].numel():
            grad_x = conv2d_input(x.shape, weight, grad, padding=1)
            return grad_x, conv2d_weight(x, weight.shape, grad, padding=1), grad.sum((0, 2, 3))
        cells = grad[image, :, row, column]  # [R, O]
        pixels = F.pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1)  # [B, H + 2, W + 2, I]
        _, height, width, channels = pixels.shape
        steps = torch.arange(3)
        around = (steps[:, None] * width + steps).flatten()
        places = ((image * height + row) * width + column)[:, None] + around  # [R, 9]
        patches = pixels.reshape(-1, channels)[places].flatten(1)  # [R, 9 I]
        taps = weight.permute(0, 2, 3, 1).flatten(1)  # [O, 9 I]
        grad_pixels = torch.zeros_like(pixels, memory_format=torch.contiguous_format)
        grad_pixels.view(-1, channels).index_add_(0, places.flatten(), (cells @ taps).view(-1, channels))
        grad_weight = (cells.T @ patches).view(-1, 3, 3, channels)
        return (
            grad_pixels[:, 1:-1, 1:-1].permute(0, 3, 1, 2),
            grad_weight.permute(0, 3, 1, 2),
            cells.sum(0),
        )
