"""Deformable convolution as GridSample and a 1x1 convolution, which every runtime has."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ops.dcnv2 import ModulatedDeformConv2d
from ops.dcnv2.deform_conv import split_offsets


class SampledDeformConv2d(nn.Module):
    """A trained `ModulatedDeformConv2d` (DCNv2, Zhu et al. 2018, equation 1) in portable operators.

    All taps are sampled from one grid of [T h, w] positions; outside of the map they read zero.
    """

    def __init__(self, conv: ModulatedDeformConv2d) -> None:
        super().__init__()
        self.stride = conv.stride
        self.padding = conv.padding
        self.kernel = conv.weight.shape[-1]
        self.conv_offset_mask = conv.conv_offset_mask
        out_channels = len(conv.weight)
        self.weight = nn.Parameter(conv.weight.detach().reshape(out_channels, -1, 1, 1), requires_grad=False)
        self.bias = conv.bias

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, h, w]."""
        offsets, modulation = split_offsets(self.conv_offset_mask(x))
        num_taps, h, w = modulation.shape[1:]
        # Half precision is too coarse for positions in a wide map.
        grid = self._grid(offsets.float(), num_taps, h, w, size=x.shape[-2:])
        samples = F.grid_sample(x.float(), grid, padding_mode="zeros", align_corners=False).to(x.dtype)
        samples = samples.unflatten(2, (num_taps, h)) * modulation[:, None]  # [B, I, T, h, w]
        return F.conv2d(samples.flatten(1, 2), self.weight, self.bias)

    def _grid(self, offsets: Tensor, num_taps: int, h: int, w: int, *, size: torch.Size) -> Tensor:
        """[B, T h, w, 2] (x, y) positions, -1 and 1 at the outer edges of a map of (height, width)."""
        dy, dx = offsets.unflatten(1, (num_taps, 2)).unbind(2)  # [B, T, h, w]
        taps = torch.arange(self.kernel, dtype=offsets.dtype, device=offsets.device)
        tap_y = taps.repeat_interleave(self.kernel).view(-1, 1, 1)
        tap_x = taps.repeat(self.kernel).view(-1, 1, 1)
        rows = torch.arange(h, dtype=offsets.dtype, device=offsets.device) * self.stride - self.padding
        columns = torch.arange(w, dtype=offsets.dtype, device=offsets.device) * self.stride - self.padding
        y, x = dy + tap_y + rows[:, None], dx + tap_x + columns
        grid = torch.stack(((2 * x + 1) / size[1] - 1, (2 * y + 1) / size[0] - 1), dim=-1)
        return grid.flatten(1, 2)


def replace_deformable(network: nn.Module) -> None:
    """Put the portable formulation in place of all deformable convolutions of a network, in place."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, ModulatedDeformConv2d):
                setattr(module, name, SampledDeformConv2d(child))
