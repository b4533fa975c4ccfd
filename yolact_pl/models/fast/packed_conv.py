"""Convolutions whose weights are kept as the CPU's convolution library wants them."""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ops.dcnv2 import ModulatedDeformConv2d
from ops.dcnv2.deform_conv import gather_and_multiply, split_offsets, taps_as_channels

MAX_SHAPES = 5
"""Shapes of the input that a convolution keeps weights for: the head sees five levels."""


class PackedConv2d(nn.Module):
    """A convolution for prediction on the CPU that arranges its weights once instead of at every call.

    What is added to its result and a ReLU of the sum happen on the way out, before the result is in memory.

    How weights are best arranged depends on the shape of the input. Further shapes than the first few, and
    calls with gradients, under autocast, in torch.compile or on other devices get the ordinary convolution.
    Threads may share it. The weights must not change after the first call.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        """Args:
        conv: whose weights and settings are used; its padding is given in pixels and filled with zeros.
        """
        super().__init__()
        self.conv = conv
        self._packed: dict[torch.Size, Tensor] = {}

    def forward(self, x: Tensor, *, add: Tensor | None = None, relu: bool = False) -> Tensor:
        """[B, I, H, W] to [B, O, h, w], channels last.

        Args:
            x: the input.
            add: of the shape of the result, which it is added to. The result may take its memory.
            relu: take the ReLU of the sum.
        """
        weight = self._packed_weight(x) if _is_plain_prediction(x) else None
        if weight is not None:
            return _convolve(x, weight, self.conv, add=add, relu=relu)
        y = self.conv(x)
        if add is not None:
            y = y + add
        return F.relu(y) if relu else y

    def _packed_weight(self, x: Tensor) -> Tensor | None:
        """For inputs like `x`; None if there are too many kinds of them."""
        weight = self._packed.get(x.shape)
        if weight is None and len(self._packed) < MAX_SHAPES:
            # Two threads may both come here: they pack the same.
            weight = self._packed[x.shape] = _pack(self.conv, x.shape)
        return weight

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

    def forward(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """[B, I, H, W] to [B, O, h, w], channels last; with `relu` the ReLU of it."""
        offsets, modulation = split_offsets(self.conv_offset_mask(x))
        return gather_and_multiply(
            x.to(self.product.conv.weight.dtype),
            offsets,
            modulation,
            functools.partial(self.product, relu=relu),
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
        y = _convolve(pixel, _pack(conv, pixel.shape), conv, relu=True)
        _convolve(pixel, _pack(conv, pixel.shape), conv, add=y, relu=True)
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


# None of these functions is part of torch's documented interface, but torch's own compiler relies on them.


def _pack(conv: nn.Conv2d, shape: torch.Size) -> Tensor:
    return torch.ops.aten.mkldnn_reorder_conv2d_weight(
        conv.weight.detach().to_mkldnn(), conv.padding, conv.stride, conv.dilation, conv.groups, list(shape)
    )


def _convolve(
    x: Tensor, weight: Tensor, conv: nn.Conv2d, *, add: Tensor | None = None, relu: bool = False
) -> Tensor:
    x = x.contiguous(memory_format=torch.channels_last)
    convolution = weight, conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups
    function = torch.ops.mkldnn._convolution_pointwise
    if add is None:
        return function(x, *convolution, "relu" if relu else "none", [], "")
    add = add.contiguous(memory_format=torch.channels_last)
    # Into the memory of what is added: of a large map, another one would have to be fetched.
    function = torch.ops.mkldnn._convolution_pointwise_
    return function.binary(add, x, *convolution, "add", 1.0, "relu" if relu else None, [], "")
