"""Interface of backbones."""

from torch import Tensor, nn

IMAGENET_MEAN = (123.68, 116.78, 103.94)
IMAGENET_STD = (58.40, 57.12, 57.38)
"""RGB on the 0..255 scale, as the released ResNet weights were trained."""


class Backbone(nn.Module):
    """Base of all backbones: normalised images to the feature maps at strides 4, 8, 16 and 32."""

    channels: tuple[int, ...]
    """Of C2, C3, C4 and C5."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """RGB on the 0..255 scale, subtracted from the image."""
    std: tuple[float, float, float] = IMAGENET_STD
    """RGB on the 0..255 scale, divides the difference."""
    pretrained: bool = False
    """Whether weights were loaded, so that batch norm statistics are worth keeping."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Normalised images [B, 3, H, W] to (C2, C3, C4, C5).

        Each is computed from the one before it, so that a map that is not used costs nothing.
        """
        raise NotImplementedError
