"""Convolutions whose weights are kept in the layout of the CPU's convolution library."""

import functools
import threading
from collections import OrderedDict
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ops.dcnv2 import ModulatedDeformConv2d
from ops.dcnv2.deform_conv import gather_and_multiply, split_offsets, taps_as_channels
from yolact_pl.models.conv_relu import ConvRelu

Activation = Literal["none", "relu", "relu6"]
OPERATORS = {"none": ("none", [], ""), "relu": ("relu", [], ""), "relu6": ("hardtanh", [0.0, 6.0], "")}
"""Activations in the CPU's convolution library: name, scalars and algorithm."""


class PackedWeights:
    """Packed weights of a network by the shape of the input, which the best layout depends on.

    Those used last are kept, within twice the memory of the weights themselves: a network with inputs of one
    size needs a little more than once that memory, since pyramid levels share the head. Threads may share it.
    """

    def __init__(self) -> None:
        self.limit, self.size = 0, 0
        self._kept: OrderedDict[tuple[nn.Conv2d, torch.Size], Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def allow(self, conv: nn.Conv2d) -> None:
        """Grow the limit, in bytes, by the share of a convolution."""
        self.limit += 2 * conv.weight.nbytes

    def packed(self, conv: nn.Conv2d, shape: torch.Size) -> Tensor:
        """The weights of a convolution for inputs of a shape."""
        key = conv, shape
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            weight = self._kept[key] = _pack(conv, shape)
            self.size += conv.weight.nbytes
            while self.size > self.limit:
                (oldest, _), _ = self._kept.popitem(last=False)
                self.size -= oldest.weight.nbytes
            return weight


class PackedConv2d(nn.Module):
    """A convolution for prediction on the CPU that reorders its weights once per input shape, not per call.

    What is added to its result and the activation are computed before the result is written to memory.
    Calls with gradients and in torch.compile get the ordinary convolution. The weights must not change after
    the first call.
    """

    def __init__(self, conv: nn.Conv2d, weights: PackedWeights, *, activation: Activation = "none") -> None:
        """Args:
        conv: whose weights and settings are used; its padding is given in pixels and filled with zeros.
        weights: of the network.
        activation: of the result; always ReLU for `ConvRelu`.
        """
        super().__init__()
        self.conv = conv
        self.activation: Activation = "relu" if isinstance(conv, ConvRelu) else activation
        self.weights = weights
        weights.allow(conv)

    def forward(self, x: Tensor, *, add: Tensor | None = None) -> Tensor:
        """[B, I, H, W] to [B, O, h, w], channels last.

        Args:
            x: the input.
            add: of the shape of the result, which it is added to before the activation, ReLU or none. The
                result may take its memory.
        """
        if torch.compiler.is_compiling() or torch.is_grad_enabled():
            y = nn.Conv2d.forward(self.conv, x)
            if add is not None:
                y = y + add
            return _activated(y, self.activation)
        weight = self.weights.packed(self.conv, x.shape)
        return _convolve(x, weight, self.conv, add=add, activation=self.activation)


class PackedDeformConv2d(nn.Module):
    """A deformable convolution by gathered samples, both of whose products are packed."""

    def __init__(
        self, conv: ModulatedDeformConv2d, weights: PackedWeights, *, activation: Activation = "none"
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = conv.weight.shape[-1], conv.stride, conv.padding
        self.activation: Activation = activation
        weight = taps_as_channels(conv.weight.detach()).contiguous(memory_format=torch.channels_last)
        product = nn.Conv2d(weight.shape[1], weight.shape[0], 1, device="meta")
        product.weight = nn.Parameter(weight, requires_grad=False)
        product.bias = conv.bias
        self.product = PackedConv2d(product, weights)
        self.conv_offset_mask = PackedConv2d(conv.conv_offset_mask, weights)

    def forward(self, x: Tensor, *, add: Tensor | None = None) -> Tensor:
        """[B, I, H, W] to [B, O, h, w], channels last; `add` is added before the activation."""
        offsets, modulation = split_offsets(self.conv_offset_mask(x))
        y = gather_and_multiply(
            x, offsets, modulation, self.product, kernel=self.kernel, stride=self.stride, padding=self.padding
        )
        if add is not None:
            y += add
        return _activated(y, self.activation)


def packed(
    conv: nn.Module, weights: PackedWeights, *, activation: Activation = "none"
) -> PackedConv2d | PackedDeformConv2d:
    """The packed form of a convolution, see `is_packable`."""
    if isinstance(conv, ModulatedDeformConv2d):
        return PackedDeformConv2d(conv, weights, activation=activation)
    assert isinstance(conv, nn.Conv2d)
    return PackedConv2d(conv, weights, activation=activation)


def is_packable(module: nn.Module) -> bool:
    """Whether it is a convolution that can be packed; classes derived from these may do more."""
    if type(module) in (nn.Conv2d, ConvRelu):
        return module.padding_mode == "zeros" and not isinstance(module.padding, str)
    return type(module) is ModulatedDeformConv2d


@functools.cache
def can_pack(dtype: torch.dtype) -> bool:
    """Whether this torch can, tried on one pixel."""
    conv = nn.Conv2d(1, 1, 1, dtype=dtype)
    try:
        with torch.inference_mode():
            y = PackedConv2d(conv, PackedWeights())(torch.zeros(1, 1, 1, 1, dtype=dtype))
            PackedConv2d(conv, PackedWeights(), activation="relu")(y.clone(), add=y)
            PackedConv2d(conv, PackedWeights(), activation="relu6")(y)
    except (AttributeError, NotImplementedError, RuntimeError):
        return False
    return True


# None of these operators is part of torch's documented interface, but torch's own compiler relies on them.


def _pack(conv: nn.Conv2d, shape: torch.Size) -> Tensor:
    return torch.ops.aten.mkldnn_reorder_conv2d_weight(
        conv.weight.detach().to_mkldnn(), conv.padding, conv.stride, conv.dilation, conv.groups, list(shape)
    )


def _convolve(
    x: Tensor, weight: Tensor, conv: nn.Conv2d, *, add: Tensor | None, activation: Activation
) -> Tensor:
    x = x.contiguous(memory_format=torch.channels_last)
    convolution = weight, conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups
    if add is None:
        function = torch.ops.mkldnn._convolution_pointwise
        return function(x, *convolution, *OPERATORS[activation])
    add = add.contiguous(memory_format=torch.channels_last)
    # Into the memory of what is added: for a large map, new memory would have to be fetched.
    function = torch.ops.mkldnn._convolution_pointwise_
    assert activation != "relu6", "the library has no sum with it"
    return function.binary(add, x, *convolution, "add", 1.0, "relu" if activation == "relu" else None, [], "")


def _activated(x: Tensor, activation: Activation) -> Tensor:
    """The activation of x, in place."""
    if activation == "none":
        return x
    return F.relu(x, inplace=True) if activation == "relu" else F.relu6(x, inplace=True)
