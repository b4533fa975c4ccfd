"""ResNet, plain and deformable."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch.nn.functional as F
import torchvision.models
from torch import Tensor, nn

from ops.dcnv2 import ModulatedDeformConv2d
from yolact_pl.models.backbones.backbone import Backbone
from yolact_pl.models.batch_norm import conv_norm
from yolact_pl.models.weight_files import cached_download, load_exactly, read_tensors, rename_keys

PUBLISHED_KEYS = (
    ("conv1.{}", "conv1.{}"),
    ("bn1.{}", "bn1.{}"),
    ("layers.0.{}", "layer1.{}"),
    ("layers.1.{}", "layer2.{}"),
    ("layers.2.{}", "layer3.{}"),
    ("layers.3.{}", "layer4.{}"),
)
"""The published names of the weights, and torchvision's, which are ours."""
TORCHVISION_KEYS = (("{}", "{}"),)

IMAGENET_WEIGHTS: dict[tuple[str, tuple[int, ...]], torchvision.models.WeightsEnum] = {
    ("basic", (2, 2, 2, 2)): torchvision.models.ResNet18_Weights.IMAGENET1K_V1,
    ("basic", (3, 4, 6, 3)): torchvision.models.ResNet34_Weights.IMAGENET1K_V1,
    ("bottleneck", (3, 4, 6, 3)): torchvision.models.ResNet50_Weights.IMAGENET1K_V1,
    ("bottleneck", (3, 4, 23, 3)): torchvision.models.ResNet101_Weights.IMAGENET1K_V1,
}


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2015, figure 5 left); the second may be deformable."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, *, stride: int, deformable: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, stride=1, deformable=deformable)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _projection(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, H, W] to [B, width, H / stride, W / stride]."""
        out = F.relu(conv_norm(self.conv1, self.bn1, x), inplace=True)
        out = conv_norm(self.conv2, self.bn2, out)
        out += _shortcut(self.downsample, x)
        return F.relu(out, inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut (He et al. 2015, figure 5 right); the 3x3 has the stride."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, *, stride: int, deformable: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, stride=stride, deformable=deformable)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.downsample = _projection(in_channels, width * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, H, W] to [B, 4 x width, H / stride, W / stride]."""
        out = F.relu(conv_norm(self.conv1, self.bn1, x), inplace=True)
        out = F.relu(conv_norm(self.conv2, self.bn2, out), inplace=True)
        out = conv_norm(self.conv3, self.bn3, out)
        out += _shortcut(self.downsample, x)
        return F.relu(out, inplace=True)


class ResNet(Backbone):
    """ResNet without its classifier, under torchvision's parameter names."""

    def __init__(
        self,
        depths: Sequence[int],
        *,
        block: Literal["bottleneck", "basic"] = "bottleneck",
        width: int = 64,
        weights: str | Path | None = None,
        deformable: bool = False,
        deformable_interval: int = 1,
    ) -> None:
        """Args:
        depths: blocks in each of the four stages.
        block: "basic" for ResNet-18 and 34, "bottleneck" from 50 on.
        width: channels of the stem and of the 3x3 convolutions in the first stage, doubled in each
            later stage; the published weights have 64.
        weights: "imagenet" for torchvision's first published weights, a path for a local file with
            torchvision's names or those of the original project, None to start from random.
        deformable: deformable convolutions in C3-C5 (YOLACT++, section 6.2).
        deformable_interval: only in every so many-th block of a stage, starting with its first.

        Raises:
            ValueError: the weights cannot be fetched or do not fit.
        """
        super().__init__()
        block_class = Bottleneck if block == "bottleneck" else BasicBlock
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        in_channels = width
        stages: list[nn.Sequential] = []
        for stage, depth in enumerate(depths):
            blocks: list[nn.Module] = []
            for index in range(depth):
                blocks.append(
                    block_class(
                        in_channels,
                        width * 2**stage,
                        stride=2 if stage > 0 and index == 0 else 1,
                        deformable=deformable and stage > 0 and index % deformable_interval == 0,
                    )
                )
                in_channels = width * 2**stage * block_class.expansion
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.channels = tuple(width * 2**stage * block_class.expansion for stage in range(4))
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is None:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.pretrained = weights is not None
        if weights is not None:
            self._load(_imagenet_file(block, tuple(depths)) if weights == "imagenet" else Path(weights))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Normalised images [B, 3, H, W] to (C2, C3, C4, C5)."""
        # Published in the other order: a maximum and a ReLU commute, and the pooled map is a fourth.
        c2 = self.layer1(F.relu(self.maxpool(conv_norm(self.conv1, self.bn1, x)), inplace=True))
        c3 = self.layer2(c2)
        c4 = self.layer3(c3)
        return c2, c3, c4, self.layer4(c4)

    def _load(self, path: Path) -> None:
        state = read_tensors(path)
        table = PUBLISHED_KEYS if any(key.startswith("layers.") for key in state) else TORCHVISION_KEYS
        renamed = rename_keys(state, table, dropped=("fc.{}",), source=path)
        load_exactly(self, renamed, source=path, table=table, optional=self._absent_from_plain())

    def _absent_from_plain(self) -> set[str]:
        """What a plain ResNet's file does not have: all of a deformable convolution but its kernel."""
        return {
            f"{name}.{key}"
            for name, module in self.named_modules()
            if isinstance(module, ModulatedDeformConv2d)
            for key in module.state_dict()
            if key != "weight"
        }


def _conv3x3(width: int, *, stride: int, deformable: bool) -> nn.Module:
    if deformable:
        return ModulatedDeformConv2d(width, width, 3, stride=stride, padding=1)
    return nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)


def _projection(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
    )


def _shortcut(downsample: nn.Sequential | None, x: Tensor) -> Tensor:
    if downsample is None:
        return x
    conv, norm = downsample
    return conv_norm(conv, norm, x)


def _imagenet_file(block: str, depths: tuple[int, ...]) -> Path:
    if (block, depths) not in IMAGENET_WEIGHTS:
        known = ", ".join(f"{list(d)} {b}" for b, d in IMAGENET_WEIGHTS)
        raise ValueError(
            f"there are no ImageNet weights for a ResNet of depths {list(depths)} and {block} blocks, only "
            f"for {known}; set backbone.weights=null or backbone.weights=<path>"
        )
    return cached_download(IMAGENET_WEIGHTS[block, depths].url)
