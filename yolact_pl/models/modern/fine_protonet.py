"""Prototype network with a fine skip connection."""

import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.models.modern.blocks import conv_norm_act

STRIDES = (2, 4)
MAX_FINE_CHANNELS = 128
"""At stride 4: a fourth of the arithmetic of 256 channels, at the resolution where most of it is."""


class FineProtoNet(nn.Module):
    """Prototypes of P3 and C2 at a stride of 4 or 2 pixels.

    P3 is upsampled twofold and joined by C2, which has the outlines. At stride 2 the last convolution
    predicts 2 x 2 prototype pixels per cell (sub-pixel convolution, Shi et al. 2016), so that no wide map has
    that resolution. The prototypes have no activation: masks are sums of them with coefficients of either
    sign.
    """

    def __init__(
        self,
        channels: int,
        c2_channels: int,
        *,
        num_prototypes: int = 32,
        stride: int = 2,
        norm: str = "batch",
        activation: str = "relu",
    ) -> None:
        """Args:
        channels: of P3 and of all maps at its resolution.
        c2_channels: of C2.
        num_prototypes: K.
        stride: pixels of the input per prototype pixel, 4 or 2.
        norm: "batch" or "group".
        activation: "relu" or "silu".

        Raises:
            ValueError: another stride.
        """
        super().__init__()
        if stride not in STRIDES:
            raise ValueError(f"prototype_stride={stride}: expected one of {', '.join(map(str, STRIDES))}")
        scale = 4 // stride
        fine = min(channels, MAX_FINE_CHANNELS)
        self.coarse = nn.Sequential(
            conv_norm_act(channels, channels, 3, norm=norm, activation=activation),
            conv_norm_act(channels, fine, 3, norm=norm, activation=activation),
        )
        self.skip = nn.Conv2d(c2_channels, fine, 1)
        self.fine = conv_norm_act(fine, fine, 3, norm=norm, activation=activation)
        self.prototypes = nn.Conv2d(fine, num_prototypes * scale**2, 1)
        self.shuffle = nn.PixelShuffle(scale) if scale > 1 else nn.Identity()

    def forward(self, c2: Tensor, p3: Tensor) -> Tensor:
        """Prototypes [B, K, 8 height / stride, 8 width / stride] for P3 of (height, width).

        Args:
            c2: [B, c2_channels, about 2 height, about 2 width].
            p3: [B, channels, height, width].
        """
        size = 2 * p3.shape[-2], 2 * p3.shape[-1]
        skip = self.skip(c2)
        # Of image sizes that 8 does not divide, C2 may have a row or column less.
        skip = F.pad(skip, (0, size[1] - skip.shape[-1], 0, size[0] - skip.shape[-2]))
        x = F.interpolate(self.coarse(p3), size, mode="bilinear", align_corners=False) + skip
        return self.shuffle(self.prototypes(self.fine(x)))
