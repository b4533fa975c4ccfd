"""Batch norm as part of the convolution before it."""

import itertools

import torch
from torch import nn

from ops.dcnv2 import ModulatedDeformConv2d
from yolact_pl.models.resnet import BasicBlock, Bottleneck, ResNet

NAMED_PAIRS = (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"))
"""What follows each other in these classes: their `forward` says so, the order of their parts need not."""
CLASSES_WITH_NAMED_PAIRS = (ResNet, BasicBlock, Bottleneck)


def fuse_batch_norm(network: nn.Module) -> None:
    """Give convolutions the weights that make the batch norm after them needless, and take it out, in place.

    With running statistics batch norm is one factor and one summand a channel. Fused are the parts of plain
    `nn.Sequential` and of our ResNets, deformable convolutions too; other networks keep their batch norm.

    Args:
        network: in evaluation mode; it can't be trained afterwards.
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
    return is_norm and type(conv) in (nn.Conv2d, ModulatedDeformConv2d)


@torch.no_grad()
def _absorb(conv: nn.Conv2d | ModulatedDeformConv2d, norm: nn.BatchNorm2d) -> None:
    """Change the convolution's weights, in float64 on the way."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, factor = norm.running_mean.double(), (norm.running_var.double() + norm.eps).rsqrt()
    bias = -mean if conv.bias is None else conv.bias.double() - mean
    if norm.affine:
        factor = factor * norm.weight.double()
    bias = bias * factor + (norm.bias.double() if norm.affine else 0)
    weight = conv.weight.double() * factor.view(-1, 1, 1, 1)
    conv.weight = nn.Parameter(weight.to(conv.weight), requires_grad=False)
    conv.bias = nn.Parameter(bias.to(conv.weight), requires_grad=False)
