"""The prototype network."""

import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.models.conv_relu import ConvRelu


class ProtoNet(nn.Module):
    """Prototype masks from P3, at twice its resolution (YOLACT, section 3.1 and figure 3)."""

    def __init__(self, channels: int = 256, num_prototypes: int = 32) -> None:
        super().__init__()
        self.coarse = nn.ModuleList(ConvRelu(channels, channels, 3, padding=1) for _ in range(3))
        self.fine = ConvRelu(channels, channels, 3, padding=1)
        self.prototypes = ConvRelu(channels, num_prototypes, 1)

    def forward(self, p3: Tensor) -> Tensor:
        """[B, channels, height, width] to prototypes [B, K, 2 height, 2 width], not negative."""
        x = p3
        for conv in self.coarse:
            x = conv(x)
        # The published network has a ReLU in between, which averages of a ReLU do not need.
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return self.prototypes(self.fine(x))
