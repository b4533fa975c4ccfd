"""Normalised feature pyramid."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.models.modern.blocks import conv_norm, conv_norm_act


class NormalizedFpn(nn.Module):
    """Top-down pyramid over C3, C4, C5 with a norm after each convolution, and strided levels above P5."""

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        *,
        num_levels: int = 3,
        norm: str = "batch",
        activation: str = "relu",
    ) -> None:
        """Args:
        in_channels: of C3, C4, C5.
        channels: of every level.
        num_levels: 3 for P3..P5, more for strided ones above.
        norm: "batch" or "group".
        activation: "relu" or "silu".

        Raises:
            ValueError: fewer levels than maps.
        """
        super().__init__()
        if num_levels < len(in_channels):
            raise ValueError(f"num_levels={num_levels}: expected at least {len(in_channels)}, P3 to P5")
        self.laterals = nn.ModuleList(conv_norm(c, channels, 1, norm=norm) for c in in_channels)
        self.outputs = nn.ModuleList(
            conv_norm_act(channels, channels, 3, norm=norm, activation=activation) for _ in in_channels
        )
        self.downsamples = nn.ModuleList(
            conv_norm_act(channels, channels, 3, norm=norm, activation=activation, stride=2)
            for _ in range(num_levels - len(in_channels))
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """(C3, C4, C5) to P3, P4, ..., each [B, channels, its height, its width]."""
        merged = [lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)]
        for level in range(len(merged) - 2, -1, -1):
            size = merged[level].shape[-2:]
            merged[level] = merged[level] + F.interpolate(merged[level + 1], size, mode="nearest")
        levels = [output(x) for output, x in zip(self.outputs, merged, strict=True)]
        for downsample in self.downsamples:
            levels.append(downsample(levels[-1]))
        return levels
