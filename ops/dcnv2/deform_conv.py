"""Modulated deformable convolution (DCNv2, Zhu et al. 2018, equation 1) as functions and as a module.

Letters: B images, I and O input and output channels, T = kernel x kernel taps, H W and h w the maps.
"""

from collections.abc import Callable, Sequence

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

    Positions outside of the map read zero. This is the one place that chooses between the formulations: the
    gathered one on the CPU, where it is faster, torchvision's kernel elsewhere (on MPS from 0.23 on).

    Args:
        x: [B, I, H, W] of the type of `weight`.
        offsets: [B, 2T, h, w] in pixels of `x`, (dy, dx) for each tap in row-major order, any float type.
        modulation: [B, T, h, w] factors, after the sigmoid, any float type.
        weight: [O, I, kernel, kernel].
        bias: [O].
        stride: of the undeformed grid, in pixels.
        padding: of the undeformed grid, in pixels.

    Returns:
        [B, O, h, w].
    """
    formulation = gathered_deform_conv if x.is_cpu else kernel_deform_conv
    return formulation(x, offsets, modulation, weight, bias, stride=stride, padding=padding)


def kernel_deform_conv(
    x: Tensor, offsets: Tensor, modulation: Tensor, weight: Tensor, bias: Tensor, *, stride: int, padding: int
) -> Tensor:
    """`deform_conv` by torchvision's compiled operator, in float32 where the types are shorter."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    y = torchvision.ops.deform_conv2d(
        x.to(dtype),
        offsets.to(dtype),
        weight.to(dtype),
        bias.to(dtype),
        stride=(stride, stride),
        padding=(padding, padding),
        mask=modulation.to(dtype),
    )
    return y.to(x.dtype)


def gathered_deform_conv(
    x: Tensor, offsets: Tensor, modulation: Tensor, weight: Tensor, bias: Tensor, *, stride: int, padding: int
) -> Tensor:
    """`deform_conv` in plain PyTorch: what the taps see is gathered, then multiplied by a 1x1 convolution."""
    matrix = taps_as_channels(weight)
    return gather_and_multiply(
        x,
        offsets,
        modulation,
        lambda samples: F.conv2d(samples, matrix, bias),
        kernel=weight.shape[-1],
        stride=stride,
        padding=padding,
    )


def taps_as_channels(weight: Tensor) -> Tensor:
    """[O, I, kernel, kernel] as the weight [O, T I, 1, 1] of a 1x1 convolution."""
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1, 1, 1)


def gather_and_multiply(
    x: Tensor,
    offsets: Tensor,
    modulation: Tensor,
    multiply: Callable[[Tensor], Tensor],
    *,
    kernel: int,
    stride: int,
    padding: int,
) -> Tensor:
    """What the taps see, as channels of a map, given to `multiply`, a few images at a time.

    With the channels of a pixel side by side, a bilinear sample is the weighted sum of four rows of a table,
    which is what `embedding_bag` computes without storing the four rows.

    Args:
        x, offsets, modulation: see `deform_conv`.
        multiply: [b, T I, h, w], channels last, to [b, O, h, w].
        kernel, stride, padding: in pixels.
    """
    num_taps, h, w = modulation.shape[1:]
    in_channels = x.shape[1]
    rows, weights = corner_table(
        offsets, modulation, x.shape[-2:], kernel=kernel, stride=stride, padding=padding
    )
    step = max(1, MAX_SAMPLED_VALUES // (num_taps * in_channels * h * w))
    outputs = []
    for start in range(0, x.shape[0], step):
        images = F.pad(x[start : start + step], (1, 1, 1, 1))
        b, _, table_height, table_width = images.shape
        first_rows = torch.arange(b, device=x.device, dtype=rows.dtype) * (table_height * table_width)
        samples = F.embedding_bag(
            (rows[start : start + step] + first_rows.view(-1, 1, 1)).view(-1, 4),
            images.permute(0, 2, 3, 1).reshape(-1, in_channels),
            per_sample_weights=weights[start : start + step].view(-1, 4).to(x.dtype),
            mode="sum",
        )
        outputs.append(multiply(samples.view(b, h, w, -1).permute(0, 3, 1, 2)))
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


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
        [B, h w T, 4] int32 row numbers in the flattened map, padded by one zero pixel on each side, and as
        many bilinear weights times modulation, in float32 where the offsets' type is shorter.
    """
    height, width = size
    b, num_taps, h, w = modulation.shape
    # Half precision is too coarse for positions in a wide map.
    dtype = torch.promote_types(offsets.dtype, torch.float32)
    steps = torch.arange(max(h, w, kernel), device=offsets.device, dtype=dtype)
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
    corner = top.int() * (width + 2) + left.int()
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
        offsets, modulation = split_offsets(self.conv_offset_mask(x))
        return deform_conv(
            x.to(self.weight.dtype),  # under autocast it comes in half precision
            offsets,
            modulation,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
        )


def split_offsets(maps: Tensor) -> tuple[Tensor, Tensor]:
    """[B, 3T, h, w] of a `conv_offset_mask` to offsets [B, 2T, h, w] and modulation [B, T, h, w] in 0..1."""
    num_taps = maps.shape[1] // 3
    offsets, modulation = maps.split((2 * num_taps, num_taps), dim=1)
    return offsets, modulation.sigmoid()
