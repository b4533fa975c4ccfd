"""Convolutions whose weights are kept as the CPU's convolution library wants them."""

import torch
from torch import Tensor, nn


class PackedConv2d(nn.Module):
    """A convolution for prediction on the CPU that arranges its weights once instead of at every call.

    Under autocast it computes in autocast's type, as others do. Where it can't be used (with gradients, on
    other devices, compiled) the ordinary convolution is. The weights must not change after the first call.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        """Args:
        conv: whose weights and settings are used; its padding is given in pixels and filled with zeros.
        """
        super().__init__()
        self.conv = conv
        self._packed: dict[torch.dtype, tuple[Tensor, Tensor | None]] = {}

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, h, w], channels last."""
        conv = self.conv
        if torch.compiler.is_compiling() or torch.is_grad_enabled() or not x.is_cpu:
            return conv(x)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        if dtype not in self._packed:
            self._packed[dtype] = self._pack(dtype)
        weight, bias = self._packed[dtype]
        x = x.to(dtype).contiguous(memory_format=torch.channels_last)
        return torch.ops.mkldnn._convolution_pointwise(
            x, weight, bias, conv.padding, conv.stride, conv.dilation, conv.groups, "none", [], ""
        )

    def __getstate__(self) -> dict[str, object]:
        # Packed weights can neither be copied nor stored; they are made anew.
        return {**self.__dict__, "_packed": {}}

    def _pack(self, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
        conv = self.conv
        weight = torch._C._nn.mkldnn_reorder_conv2d_weight(
            conv.weight.detach().to(dtype).to_mkldnn(), conv.padding, conv.stride, conv.dilation, conv.groups
        )
        return weight, None if conv.bias is None else conv.bias.detach().to(dtype)


def pack_convolutions(network: nn.Module) -> None:
    """Put a `PackedConv2d` in the place of every ordinary convolution; nothing where torch can't."""
    if not _can_pack():
        return
    for module in list(network.modules()):
        for name, conv in module.named_children():
            if type(conv) is nn.Conv2d and conv.padding_mode == "zeros" and not isinstance(conv.padding, str):
                setattr(module, name, PackedConv2d(conv))


def _can_pack() -> bool:
    # Not part of torch's documented interface, though its own compiler has relied on them since torch 2.0.
    return (
        torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and hasattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")
    )
