"""DarkNet-53."""

from pathlib import Path

from torch import Tensor, nn

from yolact_pl.models.backbones.backbone import Backbone
from yolact_pl.models.weight_files import cached_download, load_exactly, read_tensors, rename_keys

DEPTHS = (1, 2, 8, 8, 4)
IMAGENET_WEIGHTS = "https://huggingface.co/dbolya/yolact-initial-weights/resolve/main/darknet53.pth"
"""What the published training started from."""
PUBLISHED_KEYS = (
    ("_preconv.{}", "stem.{}"),
    ("layers.{}", "stages.{}"),
)
"""The published names of the weights, and ours."""


class DarkNetBlock(nn.Module):
    """Halve the channels, double them again, and add (YOLOv3, table 1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = _conv_unit(channels, channels // 2, kernel_size=1)
        self.conv2 = _conv_unit(channels // 2, channels, kernel_size=3)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W], unchanged in shape."""
        return self.conv2(self.conv1(x)) + x


class DarkNet53(Backbone):
    """DarkNet-53 without its classifier (YOLOv3, table 1); its images are only divided by 255."""

    mean = (0.0, 0.0, 0.0)
    std = (255.0, 255.0, 255.0)
    channels = (128, 256, 512, 1024)

    def __init__(self, *, weights: str | Path | None = None) -> None:
        """Args:
        weights: "imagenet" for those that the published training started from, a path for a local file with
            their names, None to start from random.

        Raises:
            ValueError: the weights cannot be fetched or do not fit.
        """
        super().__init__()
        self.stem = _conv_unit(3, 32, kernel_size=3)
        stages: list[nn.Module] = []
        for stage, depth in enumerate(DEPTHS):
            channels = 64 * 2**stage
            blocks = [DarkNetBlock(channels) for _ in range(depth)]
            stages.append(
                nn.Sequential(_conv_unit(channels // 2, channels, kernel_size=3, stride=2), *blocks)
            )
        self.stages = nn.ModuleList(stages)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.1, mode="fan_out", nonlinearity="leaky_relu")
        self.pretrained = weights is not None
        if weights is not None:
            path = cached_download(IMAGENET_WEIGHTS) if weights == "imagenet" else Path(weights)
            renamed = rename_keys(read_tensors(path), PUBLISHED_KEYS, source=path)
            load_exactly(self, renamed, source=path, table=PUBLISHED_KEYS)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Normalised images [B, 3, H, W] to (C2, C3, C4, C5)."""
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return tuple(features[1:])


def _conv_unit(in_channels: int, out_channels: int, *, kernel_size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False
        ),
        nn.BatchNorm2d(out_channels),
        nn.LeakyReLU(0.1, inplace=True),
    )
