"""The feature pyramid."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.models.conv_relu import ConvRelu


class Fpn(nn.Module):
    """Feature pyramid P3..P7 over a backbone's C3, C4, C5 (YOLACT, section 4).

    P3..P5 are the top-down pyramid; P6 and P7 are strided convolutions of P5 and P6. A ReLU follows the
    prediction convolutions but not the two strided ones: the released weights were trained so.
    """

    def __init__(self, in_channels: Sequence[int], channels: int = 256) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(c, channels, 1) for c in in_channels)
        self.predictions = nn.ModuleList(ConvRelu(channels, channels, 3, padding=1) for _ in in_channels)
        self.downsamples = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, stride=2, padding=1) for _ in range(2)
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """(C3, C4, C5), fine to coarse, to P3..P7, each [B, channels, its height, its width]."""
        merged = [lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)]
        for level in range(len(merged) - 2, -1, -1):
            size = merged[level].shape[-2:]
            coarse = F.interpolate(merged[level + 1], size, mode="bilinear", align_corners=False)
            merged[level] = merged[level] + coarse
        levels = [conv(feature) for conv, feature in zip(self.predictions, merged, strict=True)]
        for conv in self.downsamples:
            levels.append(conv(levels[-1]))
        return levels
