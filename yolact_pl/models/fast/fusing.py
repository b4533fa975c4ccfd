"""Batch norm as part of the convolution before it."""

import itertools

import torch
from torch import Tensor, nn

from ops.dcnv2 import ModulatedDeformConv2d
from yolact_pl.models.backbones.efficientnet_lite import EfficientNetLite0, HalvingConv2d, MBConv
from yolact_pl.models.backbones.resnet import BasicBlock, Bottleneck, ResNet

NAMED_PAIRS = (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"))
"""What follows each other in `CLASSES_WITH_NAMED_PAIRS`: their `forward` says so, not the order of parts."""
CLASSES_WITH_NAMED_PAIRS = (ResNet, BasicBlock, Bottleneck, EfficientNetLite0, MBConv)


def fuse_batch_norm(network: nn.Module) -> None:
    """Fold batch norm into the weights of the convolutions before it, in place.

    With running statistics batch norm is one factor and one summand per channel. It is fused in plain
    `nn.Sequential`, in our ResNets, deformable convolutions included, and in EfficientNet-Lite0; other
    networks keep it.

    Args:
        network: in evaluation mode; it cannot be trained afterwards.
    """
    assert not network.training, "batch norm in training mode depends on the batch"
    for module in list(network.modules()):
        for first, second in _pairs(module):
            conv, norm = getattr(module, first), getattr(module, second)
            if _fits(conv, norm):
                _absorb(conv, norm)
                setattr(module, second, nn.Identity())


def _pairs(module: nn.Module) -> list[tuple[str, str]]:
    """Names of the parts that follow each other."""
    if type(module) is nn.Sequential:
        names = [name for name, _ in module.named_children()]
        return list(itertools.pairwise(names))
    if isinstance(module, CLASSES_WITH_NAMED_PAIRS):
        return [(first, second) for first, second in NAMED_PAIRS if hasattr(module, first)]
    return []


def _fits(conv: nn.Module, norm: nn.Module) -> bool:
    # Classes derived from these may do more: timm's batch norm has an activation in it.
    is_norm = type(norm) is nn.BatchNorm2d and norm.running_var is not None
    return is_norm and type(conv) in (nn.Conv2d, HalvingConv2d, ModulatedDeformConv2d)


@torch.no_grad()
def _absorb(conv: nn.Conv2d | ModulatedDeformConv2d, norm: nn.BatchNorm2d) -> None:
    """Change the convolution's weights, computed in float64 on the CPU: other devices may not have it."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, factor = _double(norm.running_mean), (_double(norm.running_var) + norm.eps).rsqrt()
    bias = -mean if conv.bias is None else _double(conv.bias) - mean
    if norm.affine:
        factor = factor * _double(norm.weight)
    bias = bias * factor + (_double(norm.bias) if norm.affine else 0)
    weight = _double(conv.weight) * factor.view(-1, 1, 1, 1)
    conv.weight = nn.Parameter(weight.to(conv.weight), requires_grad=False)
    conv.bias = nn.Parameter(bias.to(conv.weight), requires_grad=False)


def _double(x: Tensor) -> Tensor:
    return x.cpu().double()
