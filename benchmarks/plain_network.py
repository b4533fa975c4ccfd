"""The published network as directly as it can be written: what a training step is measured against."""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.models.head import PredictionHead
from yolact_pl.models.resnet import Bottleneck, ResNet
from yolact_pl.models.yolact import Yolact


class EnlargedConv2d(nn.Conv2d):
    """The ProtoNet's convolution of the enlarged map."""

    def forward(self, input: Tensor) -> Tensor:
        enlarged = F.interpolate(input, scale_factor=2, mode="bilinear", align_corners=False)
        return super().forward(F.relu(enlarged))


class PlainBottleneck(Bottleneck):
    """A residual block, one step after the other."""

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return F.relu(out, inplace=True)


class PlainResNet(ResNet):
    """ResNet with the first batch norm by itself, too."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        c2 = self.layer1(self.maxpool(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        c3 = self.layer2(c2)
        c4 = self.layer3(c3)
        return c3, c4, self.layer4(c4)


class PlainHead(PredictionHead):
    """The head that arranges each level's outputs by anchor before it joins the levels."""

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        outputs: list[list[Tensor]] = [[], [], []]
        for level in levels:
            x = F.relu(self.shared(level))
            for kind, conv in zip(
                outputs, (self.class_logits, self.box_deltas, self.coefficients), strict=True
            ):
                y = conv(x).permute(0, 2, 3, 1).contiguous()
                kind.append(y.view(len(y), -1, conv.out_channels // self.num_anchors))
        class_logits, box_deltas, coefficients = (torch.cat(kind, 1) for kind in outputs)
        return class_logits, box_deltas, coefficients.tanh()


def plain_network(network: Yolact) -> Yolact:
    """A copy with the same weights, in torch's own memory layout."""
    plain = copy.deepcopy(network)
    plain.head.__class__ = PlainHead
    if isinstance(plain.backbone, ResNet):
        plain.backbone.__class__ = PlainResNet
    for module in plain.modules():
        if isinstance(module, Bottleneck):
            module.__class__ = PlainBottleneck
    plain.protonet.fine.__class__ = EnlargedConv2d
    return plain.to(memory_format=torch.contiguous_format)
