"""The mask re-scoring network of YOLACT++."""

import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = (8, 16, 32, 64, 128)
MIN_SIZE = 63
"""The smallest side of which five strided 3x3 convolutions leave a pixel: (63 - 1) / 2 = 31, 15, 7, 3, 1."""


class MaskIouNet(nn.Module):
    """Predicts how well a mask fits, for each class it might be of (YOLACT++, section 6.1)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        inputs = (1, *CHANNELS[:-1])
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 3, stride=2) for i, o in zip(inputs, CHANNELS, strict=True)
        )
        self.ious = nn.Conv2d(CHANNELS[-1], num_classes, 1)

    def forward(self, masks: Tensor) -> Tensor:
        """Soft masks [N, 1, h, w], cropped to their boxes, to IoUs [N, C], not negative."""
        h, w = masks.shape[-2:]
        # Small images have small masks; around a cropped mask there is nothing anyway.
        x = F.pad(masks, (0, max(0, MIN_SIZE - w), 0, max(0, MIN_SIZE - h)))
        for conv in self.convs:
            x = F.relu(conv(x))
        return F.relu(self.ious(x)).amax(dim=(2, 3))
