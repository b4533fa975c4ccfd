"""The prototype network."""

from torch import Tensor, nn

from yolact_pl.models.conv_unit import conv_relu
from yolact_pl.models.upsampled_conv import UpsampledConv2d


class ProtoNet(nn.Module):
    """Prototype masks from P3, at twice its resolution (YOLACT, section 3.1 and figure 3)."""

    def __init__(self, channels: int = 256, num_prototypes: int = 32) -> None:
        super().__init__()
        self.coarse = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3))
        self.fine = UpsampledConv2d(channels, channels)
        self.prototypes = nn.Conv2d(channels, num_prototypes, 1)

    def forward(self, p3: Tensor) -> Tensor:
        """[B, channels, height, width] to prototypes [B, K, h, w], not negative."""
        x = p3
        for conv in self.coarse:
            x = conv_relu(conv, x)
        # The published network has a ReLU between enlarging and `fine`: averages of a ReLU pass it unchanged.
        return conv_relu(self.prototypes, conv_relu(self.fine, x))
