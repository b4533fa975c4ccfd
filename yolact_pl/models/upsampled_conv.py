"""A convolution of an enlarged map that does its arithmetic on the small one."""

import torch.nn.functional as F
from torch import Tensor, nn

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
        # Enlarging continues the map with its outermost pixels.
        continued = F.pad(x, (1, 1, 1, 1), mode="replicate")
        spread = F.conv_transpose2d(continued, self.weight.flip(2, 3).transpose(0, 1), stride=2, padding=1)
        kernel = spread.new_tensor(WEIGHTS).outer(spread.new_tensor(WEIGHTS))
        kernel = kernel.expand(self.out_channels, 1, 4, 4)
        blurred = F.conv2d(spread, kernel, self.bias, groups=self.out_channels)
        return self._without_border(blurred, x)

    def _without_border(self, y: Tensor, x: Tensor) -> Tensor:
        """Take back what the enlarged map has given beyond its border: a convolution has zeros there."""
        height, width = y.shape[2:]
        weight = self.weight
        for side, row, taps in ((0, x[:, :, :1], weight[:, :, :1]), (-1, x[:, :, -1:], weight[:, :, 2:])):
            beyond = F.pad(_resized(row, 1, width), (1, 1, 0, 0), mode="replicate")
            y[:, :, side] -= F.conv2d(beyond, taps)[:, :, 0]
        for side, column, taps in (
            (0, x[..., :1], weight[..., :1]),
            (-1, x[..., -1:], weight[..., 2:]),
        ):  # without the corners, which the rows above have taken back
            y[..., side] -= F.conv2d(_resized(column, height, 1), taps, padding=(1, 0))[..., 0]
        return y


def _resized(x: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x, (height, width), mode="bilinear", align_corners=False)
