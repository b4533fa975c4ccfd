"""The published network as directly as it can be written: the reference of training steps."""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from yolact_pl.models.backbones.resnet import Bottleneck, ResNet
from yolact_pl.models.head import PredictionHead
from yolact_pl.models.protonet import ProtoNet
from yolact_pl.models.yolact import Yolact


class PlainProtoNet(ProtoNet):
    """The prototype network with the ReLU after upsampling, too."""

    def forward(self, p3: Tensor) -> Tensor:
        x = p3
        for conv in self.coarse:
            x = conv(x)
        x = F.relu(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))
        return self.prototypes(self.fine(x))


class PlainBottleneck(Bottleneck):
    """A residual block whose batch norm is a step of its own."""

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return F.relu(out, inplace=True)


class PlainResNet(ResNet):
    """ResNet whose first batch norm is a step of its own, and the ReLU before the pooling."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        c2 = self.layer1(self.maxpool(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        c3 = self.layer2(c2)
        c4 = self.layer3(c3)
        return c2, c3, c4, self.layer4(c4)


class PlainHead(PredictionHead):
    """The head that arranges each level's outputs by anchor before it joins the levels."""

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        outputs: list[list[Tensor]] = [[], [], []]
        for level in levels:
            x = self.shared(level)
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
    plain.protonet.__class__ = PlainProtoNet
    return plain.to(memory_format=torch.contiguous_format)
