"""Convolution and ReLU."""

import torch.nn.functional as F
from torch import Tensor, nn


class ConvRelu(nn.Conv2d):
    """A convolution followed by a ReLU."""

    def forward(self, input: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, h, w], not negative."""
        return F.relu(super().forward(input), inplace=True)
