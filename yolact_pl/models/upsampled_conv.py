"""A convolution of an enlarged map that does its arithmetic on the small one."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UpsampledConv2d(nn.Conv2d):
    """A 3x3 convolution of its input enlarged twofold, bilinearly.

    Enlarging is linear and mixes no channels, so each of the nine taps may multiply the small map, a fourth
    of the arithmetic, and the products be enlarged, shifted and summed. GPUs multiply faster than they add:
    there, and where torch.compile writes the code, the enlarged map itself is convolved.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, 2H, 2W]."""
        if input.is_cpu and not torch.compiler.is_compiling():
            return self._taps_first(input)
        return super().forward(_enlarged(input, (2, 2)))

    def _taps_first(self, x: Tensor) -> Tensor:
        b, channels, height, width = x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(-1, channels)
        rows = []
        for row in self.weight.unbind(2):  # [O, I, 3]
            products = pixels @ row.permute(1, 2, 0).reshape(channels, -1)
            rows.append(products.view(b, height, width, -1).permute(0, 3, 1, 2))
        columns = _shifted_sum([_enlarged(row, (2, 1)) for row in rows], dim=2).chunk(3, dim=1)
        total = _shifted_sum([_enlarged(column, (1, 2)) for column in columns], dim=3)
        assert self.bias is not None
        return total + self.bias.to(total.dtype).view(-1, 1, 1)


def _enlarged(x: Tensor, factors: tuple[int, int]) -> Tensor:
    size = (x.shape[2] * factors[0], x.shape[3] * factors[1])
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def _shifted_sum(taps: Sequence[Tensor], *, dim: int) -> Tensor:
    """The sum of three, the first moved one pixel on along `dim`, the last back; overwrites the second."""
    before, total, after = taps
    length = total.shape[dim] - 1
    total.narrow(dim, 1, length).add_(before.narrow(dim, 0, length))
    total.narrow(dim, 0, length).add_(after.narrow(dim, 1, length))
    return total
