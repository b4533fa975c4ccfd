"""A convolution with what follows it, in as few passes over the maps as can be."""

import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.models.fast.packed_conv import PackedConv2d, PackedDeformConv2d


def conv_relu(conv: nn.Module, x: Tensor) -> Tensor:
    """`relu(conv(x))`."""
    if isinstance(conv, PackedConv2d | PackedDeformConv2d):
        return conv(x, relu=True)
    return F.relu(conv(x), inplace=True)


def conv_norm_relu(conv: nn.Module, norm: nn.Module, x: Tensor, *, add: Tensor | None = None) -> Tensor:
    """`relu(norm(conv(x)) + add)`.

    Args:
        conv: a convolution.
        norm: batch norm, or nothing where the convolution has taken it up.
        x: [B, I, H, W].
        add: [B, O, h, w], the shortcut of a residual block. Where packed convolutions predict, the result
            takes its memory.
    """
    if isinstance(norm, nn.Identity) and isinstance(conv, PackedConv2d):
        return conv(x, add=add, relu=True)
    if isinstance(norm, nn.Identity) and add is None:
        return conv_relu(conv, x)
    y = conv_norm(conv, norm, x)
    if add is not None:
        y += add
    return F.relu(y, inplace=True)


def conv_norm(conv: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
    """`norm(conv(x))` of a convolution without bias.

    Batch norm with running statistics is a factor and a summand for each channel. They become part of the
    weights, which are few, so that no pass over the map is made, and none over its gradient.
    """
    if type(conv) is not nn.Conv2d or type(norm) is not nn.BatchNorm2d or norm.training:
        return norm(conv(x))
    assert conv.bias is None, "batch norm would take it away again"
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight * (norm.running_var + norm.eps).rsqrt()
    bias = norm.bias - norm.running_mean * factor
    weight = conv.weight * factor.view(-1, 1, 1, 1)
    return F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)
