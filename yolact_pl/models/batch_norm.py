"""Frozen batch norm."""

import functools

import torch.nn.functional as F
from torch import Tensor, nn


def freeze_batch_norm(module: nn.Module) -> None:
    """Keep all batch norm at its running statistics and its weights untrained, whatever `train()` says later.

    For batches too small for statistics of their own: the published training freezes below 6 images per
    device.
    """
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eval()
            norm.requires_grad_(False)
            # Shadows the method of this one object: for checkpoints and timm the layer stays what it is.
            norm.__dict__["train"] = functools.partial(_stay_in_evaluation, norm)


def conv_norm(conv: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
    """`norm(conv(x))` of a convolution without bias.

    With running statistics batch norm is one factor and one summand per channel. They are folded into the
    weights, which are few, so that neither the activations nor their gradient take another pass.
    """
    if type(conv) is not nn.Conv2d or type(norm) is not nn.BatchNorm2d or norm.training:
        return norm(conv(x))
    assert conv.bias is None, "batch norm makes a bias needless"
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight * (norm.running_var + norm.eps).rsqrt()
    bias = norm.bias - norm.running_mean * factor
    weight = conv.weight * factor.view(-1, 1, 1, 1)
    return F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def _stay_in_evaluation(norm: nn.Module, mode: bool = True) -> nn.Module:
    return norm
