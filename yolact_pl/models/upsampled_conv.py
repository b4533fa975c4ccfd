"""A convolution of an enlarged map that does its arithmetic on the small one."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

WEIGHTS = (0.25, 0.75, 0.75, 0.25)
"""What a pixel gives to the pixels of a map enlarged twofold, along one axis: a bilinear kernel."""


class UpsampledConv2d(nn.Conv2d):
    """A 3x3 convolution of its input enlarged twofold, bilinearly.

    Enlarging is to spread the pixels, with zeros between them, and to blur. Blurring mixes no channels, so
    it may come last: a transposed convolution spreads and multiplies at once, with a fourth of the
    arithmetic. GPUs multiply faster than they blur: there the enlarged map itself is convolved.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, 2H, 2W]."""
        if input.is_cpu:
            return self._blurred_last(input)
        height, width = input.shape[2:]
        return super().forward(_resized(input, 2 * height, 2 * width))

    def _blurred_last(self, x: Tensor) -> Tensor:
        assert self.bias is not None
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        with torch.autocast("cpu", enabled=False):  # which would pad in float32
            x, weight = x.to(dtype), self.weight.to(dtype)
            continued = _continued(x, 1)
            # In the layout of the map: a transposed convolution is a fifth faster so, and keeps it.
            channels_last = x.is_contiguous(memory_format=torch.channels_last)
            layout = torch.channels_last if channels_last else torch.contiguous_format
            spreading = weight.transpose(0, 1).contiguous(memory_format=layout).flip(2, 3)
            spread: Tensor = _SpreadConv.apply(continued, spreading)
            return _Blur.apply(spread, self.bias.to(dtype), *_beyond_border(x, weight))


class _SpreadConv(torch.autograd.Function):
    """A 3x3 convolution transposed with stride 2; torch's gradient of the weights is slow on a CPU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        """[B, I, H, W] and [I, O, 3, 3] to [B, O, 2H - 1, 2W - 1]."""
        ctx.save_for_backward(x, weight)
        return F.conv_transpose2d(x, weight, stride=2, padding=1)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        grad = F.pad(grad_outputs[0], (1, 1, 1, 1))
        grad_weight = torch.empty_like(weight)
        # Outer taps meet only every second row, the middle one the others; so do columns. Taken apart, the
        # four parts are ordinary convolutions.
        for row in (0, 1):
            for column in (0, 1):
                taps = grad_weight[:, :, row::2, column::2]
                taps.copy_(conv2d_weight(grad[:, :, row::2, column::2], taps.shape, x))
        return F.conv2d(grad, weight, stride=2), grad_weight


class _Blur(torch.autograd.Function):
    """Blurs every channel and takes back what came from beyond the border.

    The kernel is symmetric, so the gradient is to blur again; torch does not know, and its gradient of what
    is subtracted in place copies the whole map each time.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, bias: Tensor, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor
    ) -> Tensor:
        """[B, O, H + 3, W + 3], [O], twice [B, O, W] and twice [B, O, H] to [B, O, H, W]."""
        y = F.conv2d(x, _kernel(x), bias, groups=len(bias))
        y[:, :, 0] -= top
        y[:, :, -1] -= bottom
        y[..., 0] -= left
        y[..., -1] -= right
        return y

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, ...]:
        grad = grad_outputs[0]
        grad_x = F.conv2d(grad, _kernel(grad), padding=3, groups=grad.shape[1])
        return grad_x, grad.sum((0, 2, 3)), -grad[:, :, 0], -grad[:, :, -1], -grad[..., 0], -grad[..., -1]


def _beyond_border(x: Tensor, weight: Tensor) -> list[Tensor]:
    """What the enlarged map gives from beyond its border, where a convolution has zeros.

    Returns:
        [B, O, 2W] in the first and in the last row; [B, O, 2H] in the first and in the last column, without
        what the rows have of it.
    """
    height, width = 2 * x.shape[2], 2 * x.shape[3]
    given = []
    for row, taps in ((x[:, :, :1], weight[:, :, :1]), (x[:, :, -1:], weight[:, :, 2:])):
        enlarged = _continued(_resized(row, 1, width), 0)
        given.append(F.conv2d(enlarged, taps)[:, :, 0])
    for column, taps in ((x[..., :1], weight[..., :1]), (x[..., -1:], weight[..., 2:])):
        given.append(F.conv2d(_resized(column, height, 1), taps, padding=(1, 0))[..., 0])
    return given


def _continued(x: Tensor, rows: int) -> Tensor:
    """The map with its outermost pixels once more, as enlarging continues it: columns, and so many rows."""
    if not torch.compiler.is_compiling():
        return F.pad(x, (1, 1, rows, rows), mode="replicate")
    # torch.compile expects the gradient of that in another memory layout than it comes in.
    x = torch.cat((x[..., :1], x, x[..., -1:]), dim=3)
    return torch.cat((x[:, :, :rows], x, x[:, :, x.shape[2] - rows :]), dim=2)


def _kernel(x: Tensor) -> Tensor:
    """The bilinear kernel for each channel of a map."""
    weights = x.new_tensor(WEIGHTS)
    return weights.outer(weights).expand(x.shape[1], 1, 4, 4)


def _resized(x: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x, (height, width), mode="bilinear", align_corners=False)
