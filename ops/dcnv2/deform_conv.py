"""Modulated deformable convolution (DCNv2, Zhu et al. 2018, equation 1) as functions and as a module.

Letters: B images, I and O input and output channels, T = kernel x kernel taps, H W and h w the maps.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

MAX_SAMPLED_VALUES = 1 << 26
"""Sampled values (T x I an output pixel) that `gathered_deform_conv` holds at a time: 256 MB in float32."""


def deform_conv(
    x: Tensor, offsets: Tensor, modulation: Tensor, weight: Tensor, bias: Tensor, *, stride: int, padding: int
) -> Tensor:
    """Convolve with each tap moved by its own offset and scaled by its own factor.

    Positions outside of the map read zero. This is the one place that chooses between the formulations:
    torchvision's kernel on CUDA, the gathered one elsewhere, where it is faster or the kernel does not exist.

    Args:
        x: [B, I, H, W].
        offsets: [B, 2T, h, w] in pixels of `x`, (dy, dx) for each tap in row-major order.
        modulation: [B, T, h, w] factors, after the sigmoid.
        weight: [O, I, kernel, kernel].
        bias: [O].
        stride: of the undeformed grid, in pixels.
        padding: of the undeformed grid, in pixels.

    Returns:
        [B, O, h, w].
    """
    formulation = kernel_deform_conv if x.is_cuda else gathered_deform_conv
    return formulation(x, offsets, modulation, weight, bias, stride=stride, padding=padding)


def kernel_deform_conv(
    x: Tensor, offsets: Tensor, modulation: Tensor, weight: Tensor, bias: Tensor, *, stride: int, padding: int
) -> Tensor:
    """`deform_conv` by torchvision's compiled operator."""
    return torchvision.ops.deform_conv2d(
        x, offsets, weight, bias, stride=(stride, stride), padding=(padding, padding), mask=modulation
    )


def gathered_deform_conv(
    x: Tensor, offsets: Tensor, modulation: Tensor, weight: Tensor, bias: Tensor, *, stride: int, padding: int
) -> Tensor:
    """`deform_conv` in plain PyTorch: weighted sums of gathered pixels, then one matrix product.

    With the channels of a pixel side by side, a bilinear sample is the weighted sum of four rows of a table,
    which is what `embedding_bag` computes without storing the four rows.
    """
    num_taps, out_size = modulation.shape[1], modulation.shape[2:]
    in_channels = x.shape[1]
    rows, weights = corner_table(
        offsets, modulation, x.shape[-2:], kernel=weight.shape[-1], stride=stride, padding=padding
    )
    matrix = weight.permute(2, 3, 1, 0).reshape(num_taps * in_channels, -1)
    samples_per_image = num_taps * in_channels * out_size[0] * out_size[1]
    step = max(1, MAX_SAMPLED_VALUES // samples_per_image)
    outputs = []
    for start in range(0, x.shape[0], step):
        images = F.pad(x[start : start + step], (1, 1, 1, 1))
        b, _, table_height, table_width = images.shape
        table = images.permute(0, 2, 3, 1).reshape(-1, in_channels)
        first_rows = torch.arange(b, device=x.device).view(-1, 1, 1) * (table_height * table_width)
        sampled = F.embedding_bag(
            (rows[start : start + step] + first_rows).view(-1, 4),
            table,
            per_sample_weights=weights[start : start + step].view(-1, 4).to(table.dtype),
            mode="sum",
        )
        outputs.append(torch.addmm(bias, sampled.view(-1, num_taps * in_channels), matrix))
    return torch.cat(outputs).view(x.shape[0], *out_size, -1).permute(0, 3, 1, 2)


def corner_table(
    offsets: Tensor,
    modulation: Tensor,
    size: Sequence[int],
    *,
    kernel: int,
    stride: int,
    padding: int,
) -> tuple[Tensor, Tensor]:
    """The four pixels around every sampled position, and how much each of them counts.

    Args:
        offsets: [B, 2T, h, w].
        modulation: [B, T, h, w].
        size: (H, W) of the map that is sampled.
        kernel: side of the kernel.
        stride: in pixels.
        padding: in pixels.

    Returns:
        [B, h w T, 4] row numbers in the flattened map, padded by one zero pixel on each side, and as many
        bilinear weights times modulation.
    """
    height, width = size
    b, num_taps, h, w = modulation.shape
    steps = torch.arange(max(h, w, kernel), device=offsets.device, dtype=offsets.dtype)
    tap_y = steps[:kernel, None].expand(kernel, kernel).reshape(-1, 1, 1)
    tap_x = steps[:kernel].expand(kernel, kernel).reshape(-1, 1, 1)
    dy, dx = offsets.view(b, num_taps, 2, h, w).unbind(2)
    # A position a whole pixel or more outside reads zero: move it to the padding's outer edge, which is zero.
    y = (dy + tap_y + (steps[:h, None] * stride - padding)).clamp(-1, height) + 1
    x = (dx + tap_x + (steps[:w] * stride - padding)).clamp(-1, width) + 1
    # A network that diverged gives NaN: it must come out as NaN, not as a row that does not exist.
    top = y.detach().nan_to_num().floor().clamp(max=height)
    left = x.detach().nan_to_num().floor().clamp(max=width)
    below, right = y - top, x - left
    above, before = 1 - below, 1 - right
    shares = torch.stack((above * before, above * right, below * before, below * right), -1)
    weights = shares * modulation[..., None]
    corner = top.long() * (width + 2) + left.long()
    rows = torch.stack((corner, corner + 1, corner + width + 2, corner + width + 3), -1)
    rows, weights = (values.permute(0, 2, 3, 1, 4).flatten(1, 3) for values in (rows, weights))
    return rows, weights


class ModulatedDeformConv2d(nn.Module):
    """A convolution that predicts from its input where and how strongly to sample (DCNv2).

    `conv_offset_mask` has 3T outputs: 0..2T-1 are the offsets (dy, dx) a tap in row-major order, the rest the
    modulation before the sigmoid. It starts at zero, so a fresh module is a plain convolution halved.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.stride = stride
        self.padding = padding
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.conv_offset_mask = nn.Conv2d(
            in_channels, 3 * kernel_size * kernel_size, kernel_size, stride=stride, padding=padding
        )
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        for parameter in self.conv_offset_mask.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, h, w]."""
        num_taps = self.weight.shape[-1] ** 2
        offsets, modulation = self.conv_offset_mask(x).split((2 * num_taps, num_taps), dim=1)
        # Under autocast the offsets arrive in half precision, too coarse to be added to positions.
        dtype = self.weight.dtype
        return deform_conv(
            x.to(dtype),
            offsets.to(dtype),
            modulation.to(dtype).sigmoid(),
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
        )
