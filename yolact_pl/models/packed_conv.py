"""Convolutions whose weights are kept as the CPU's convolution library wants them."""

import torch
from torch import Tensor, nn

from ops.dcnv2 import ModulatedDeformConv2d
from ops.dcnv2.deform_conv import gather_and_multiply, split_offsets, taps_as_channels

MAX_SHAPES = 5
"""Shapes of the input that a convolution keeps weights for: the head sees five levels."""


class PackedConv2d(nn.Module):
    """A convolution for prediction on the CPU that arranges its weights once instead of at every call.

    How they are best arranged depends on the shape of the input. Further shapes than the first few, and calls
    with gradients, under autocast, in torch.compile or on other devices get the ordinary convolution. Threads
    may share it. The weights must not change after the first call.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        """Args:
        conv: whose weights and settings are used; its padding is given in pixels and filled with zeros.
        """
        super().__init__()
        self.conv = conv
        self._packed: dict[torch.Size, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, h, w], channels last."""
        if not _is_plain_prediction(x):
            return self.conv(x)
        weight = self._packed.get(x.shape)
        if weight is None:
            if len(self._packed) >= MAX_SHAPES:
                return self.conv(x)
            # Two threads may both come here: they pack the same.
            weight = self._packed[x.shape] = _pack(self.conv, x.shape)
        return _convolve(x, weight, self.conv)

    def __getstate__(self) -> dict[str, object]:
        # Packed weights can neither be copied nor stored; they are made anew.
        return {**self.__dict__, "_packed": {}}


class PackedDeformConv2d(nn.Module):
    """A deformable convolution by gathered samples, both of whose products are packed."""

    def __init__(self, conv: ModulatedDeformConv2d) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = conv.weight.shape[-1], conv.stride, conv.padding
        weight = taps_as_channels(conv.weight.detach()).contiguous(memory_format=torch.channels_last)
        product = nn.Conv2d(weight.shape[1], weight.shape[0], 1, device="meta")
        product.weight = nn.Parameter(weight, requires_grad=False)
        product.bias = conv.bias
        self.product = PackedConv2d(product)
        self.conv_offset_mask = PackedConv2d(conv.conv_offset_mask)

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, h, w], channels last."""
        offsets, modulation = split_offsets(self.conv_offset_mask(x))
        return gather_and_multiply(
            x.to(self.product.conv.weight.dtype),
            offsets,
            modulation,
            self.product,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
        )


def pack_convolutions(network: nn.Module) -> None:
    """Put packed convolutions in the place of all that can be packed; none where this torch can't."""
    for module in list(network.modules()):
        if isinstance(module, PackedConv2d | PackedDeformConv2d):
            continue
        for name, conv in module.named_children():
            if type(conv) is nn.Conv2d and _can_pack(conv):
                setattr(module, name, PackedConv2d(conv))
            elif type(conv) is ModulatedDeformConv2d and _can_pack(conv.conv_offset_mask):
                setattr(module, name, PackedDeformConv2d(conv))


def _can_pack(conv: nn.Conv2d) -> bool:
    """Whether it works for such a convolution, tried on one pixel."""
    if conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        return False
    pixel = conv.weight.new_zeros(1, conv.in_channels, *conv.kernel_size)
    try:
        _convolve(pixel, _pack(conv, pixel.shape), conv)
    except (AttributeError, NotImplementedError, RuntimeError):
        return False
    return True


def _is_plain_prediction(x: Tensor) -> bool:
    return not (
        torch.compiler.is_compiling()  # which arranges weights itself
        or torch.is_grad_enabled()
        or torch.is_autocast_enabled("cpu")
        or not x.is_cpu
    )


# Neither function is part of torch's documented interface, but torch's own compiler relies on them.


def _pack(conv: nn.Conv2d, shape: torch.Size) -> Tensor:
    return torch.ops.aten.mkldnn_reorder_conv2d_weight(
        conv.weight.detach().to_mkldnn(), conv.padding, conv.stride, conv.dilation, conv.groups, list(shape)
    )


def _convolve(x: Tensor, weight: Tensor, conv: nn.Conv2d) -> Tensor:
    x = x.contiguous(memory_format=torch.channels_last)
    no_more = ("none", [], "")  # nothing is done to the result
    return torch.ops.mkldnn._convolution_pointwise(
        x, weight, conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups, *no_more
    )
