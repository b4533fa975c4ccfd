"""Modules that the CPU computes faster, in place of those of the trained network."""

from torch import Tensor, nn

from yolact_pl.models.backbones.efficientnet_lite import MBConv
from yolact_pl.models.backbones.resnet import BasicBlock, Bottleneck
from yolact_pl.models.fast.packed_conv import PackedWeights, can_pack, is_packable, packed
from yolact_pl.models.fast.upsampled_conv import UpsampledConvRelu
from yolact_pl.models.network import YolactNetwork
from yolact_pl.models.protonet import ProtoNet


class PackedBlock(nn.Module):
    """A residual block of packed convolutions, with its ReLUs and its shortcut inside of them."""

    def __init__(self, block: BasicBlock | Bottleneck, weights: PackedWeights) -> None:
        """Args:
        block: whose batch norm is fused into its convolutions.
        weights: of the network.
        """
        super().__init__()
        convs = [block.conv1, block.conv2, *([block.conv3] if isinstance(block, Bottleneck) else [])]
        self.first = nn.ModuleList(packed(conv, weights, activation="relu") for conv in convs[:-1])
        self.last = packed(convs[-1], weights, activation="relu")
        self.downsample = None if block.downsample is None else packed(block.downsample[0], weights)

    def forward(self, x: Tensor) -> Tensor:
        """As of the block; without a projection the result takes the memory of `x`."""
        shortcut = x if self.downsample is None else self.downsample(x)
        for conv in self.first:
            x = conv(x)
        return self.last(x, add=shortcut)


class PackedMBConv(nn.Module):
    """An `MBConv` of packed convolutions, with its activations and its shortcut inside of them."""

    def __init__(self, block: MBConv, weights: PackedWeights) -> None:
        """Args:
        block: whose batch norm is fused into its convolutions.
        weights: of the network.
        """
        super().__init__()
        convs = [conv for conv in (block.conv1, block.conv2) if conv is not None]
        self.first = nn.Sequential(
            *(
                packed(conv, weights, activation="relu6")
                if is_packable(conv)
                else nn.Sequential(conv, nn.ReLU6(inplace=True))
                for conv in convs
            )
        )
        self.last = packed(block.conv3, weights)
        self.has_shortcut = block.has_shortcut

    def forward(self, x: Tensor) -> Tensor:
        """As of the block; with a shortcut the result takes the memory of `x`."""
        return self.last(self.first(x), add=x if self.has_shortcut else None)


def replace_modules(network: YolactNetwork) -> None:
    """Replace what has a faster form on the CPU, in place.

    Args:
        network: for prediction, with fused batch norm.
    """
    protonet = network.protonet
    if isinstance(protonet, ProtoNet):
        network.protonet = nn.Sequential(
            *protonet.coarse, UpsampledConvRelu(protonet.fine), protonet.prototypes
        )
    if can_pack(next(network.backbone.parameters()).dtype):
        weights = PackedWeights()
        for part in (network.backbone, network.fpn, network.protonet, network.head):
            _pack_convolutions(part, weights)


def _pack_convolutions(module: nn.Module, weights: PackedWeights) -> None:
    for name, child in module.named_children():
        # The block after a feature map leaves it as it is: it has a projection, or no shortcut.
        if isinstance(child, BasicBlock | Bottleneck):
            setattr(module, name, PackedBlock(child, weights))
        elif isinstance(child, MBConv):
            setattr(module, name, PackedMBConv(child, weights))
        elif is_packable(child):
            setattr(module, name, packed(child, weights))
        else:
            _pack_convolutions(child, weights)
