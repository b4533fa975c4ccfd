"""Freezing batch norm."""

import functools

from torch import nn


def freeze_batch_norm(module: nn.Module) -> None:
    """Keep all batch norm at its running statistics and its weights untrained, whatever `train()` says later.

    For batches too small for statistics of their own: the published training freezes below 6 images a device.
    """
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eval()
            norm.requires_grad_(False)
            # Shadows the method in this one object: for checkpoints and timm the layer stays what it is.
            norm.__dict__["train"] = functools.partial(_stay_in_evaluation, norm)


def _stay_in_evaluation(norm: nn.Module, mode: bool = True) -> nn.Module:
    return norm
