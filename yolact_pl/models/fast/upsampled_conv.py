"""Convolution of an upsampled map, computed on the small one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WEIGHTS = (0.25, 0.75, 0.75, 0.25)
"""The bilinear kernel of twofold upsampling, along one axis."""


class UpsampledConvRelu(nn.Module):
    """A 3x3 convolution, with ReLU, of its input upsampled twofold, bilinearly; for prediction.

    Upsampling is to spread the pixels, with zeros between them, and to blur. Blurring mixes no channels, so
    it may come last: a transposed convolution spreads and multiplies at once, with a fourth of the
    arithmetic. Only the CPU multiplies slowly enough for that to pay.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        """Args:
        conv: 3x3, stride 1, padding 1, with bias.
        """
        super().__init__()
        assert conv.bias is not None
        self.weight, self.bias = conv.weight, conv.bias
        # In the layout of the maps: a transposed convolution is a fifth faster so, and keeps it.
        spreading = conv.weight.detach().transpose(0, 1).flip(2, 3)
        self.spreading = spreading.contiguous(memory_format=torch.channels_last)
        blur = conv.weight.new_tensor(WEIGHTS)
        self.blur = blur.outer(blur).repeat(len(conv.bias), 1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, 2H, 2W], not negative."""
        spread = F.conv_transpose2d(_padded(x, rows=1), self.spreading, stride=2, padding=1)
        y = F.conv2d(spread, self.blur, self.bias, groups=len(self.bias))
        self._subtract_border(y, x)
        return F.relu(y, inplace=True)

    def _subtract_border(self, y: Tensor, x: Tensor) -> None:
        """Take from y, in place, what came from beyond the upsampled map, where a convolution has zeros."""
        height, width = 2 * x.shape[2], 2 * x.shape[3]
        weight = self.weight
        y[:, :, :1] -= F.conv2d(_padded(_resized(x[:, :, :1], 1, width)), weight[:, :, :1])
        y[:, :, -1:] -= F.conv2d(_padded(_resized(x[:, :, -1:], 1, width)), weight[:, :, 2:])
        # Columns without the corners, which are part of the rows.
        y[..., :1] -= F.conv2d(_resized(x[..., :1], height, 1), weight[..., :1], padding=(1, 0))
        y[..., -1:] -= F.conv2d(_resized(x[..., -1:], height, 1), weight[..., 2:], padding=(1, 0))


def _padded(x: Tensor, *, rows: int = 0) -> Tensor:
    """The map continued by its outermost pixels, as upsampling continues it: a column and `rows` rows."""
    return F.pad(x, (1, 1, rows, rows), mode="replicate")


def _resized(x: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x, (height, width), mode="bilinear", align_corners=False)
