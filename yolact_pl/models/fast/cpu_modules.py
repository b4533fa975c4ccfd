"""Modules that the CPU computes faster, in place of those of the trained network."""

from torch import Tensor, nn

from yolact_pl.models.backbones.resnet import BasicBlock, Bottleneck
from yolact_pl.models.fast.packed_conv import PackedWeights, can_pack, is_packable, packed
from yolact_pl.models.fast.upsampled_conv import UpsampledConvRelu
from yolact_pl.models.yolact import Yolact


class PackedBlock(nn.Module):
    """A residual block of packed convolutions, with its ReLUs and its shortcut inside of them."""

    def __init__(self, block: BasicBlock | Bottleneck, weights: PackedWeights) -> None:
        """Args:
        block: whose batch norm is fused into its convolutions.
        weights: of the network.
        """
        super().__init__()
        convs = [block.conv1, block.conv2, *([block.conv3] if isinstance(block, Bottleneck) else [])]
        self.first = nn.ModuleList(packed(conv, weights, relu=True) for conv in convs[:-1])
        self.last = packed(convs[-1], weights, relu=True)
        self.downsample = None if block.downsample is None else packed(block.downsample[0], weights)

    def forward(self, x: Tensor) -> Tensor:
        """As of the block; without a projection the result takes the memory of `x`."""
        shortcut = x if self.downsample is None else self.downsample(x)
        for conv in self.first:
            x = conv(x)
        return self.last(x, add=shortcut)


def replace_modules(network: Yolact) -> None:
    """Replace what has a faster form on the CPU, in place.

    Args:
        network: for prediction, with fused batch norm.
    """
    protonet = network.protonet
    network.add_module(
        "protonet", nn.Sequential(*protonet.coarse, UpsampledConvRelu(protonet.fine), protonet.prototypes)
    )
    if can_pack(protonet.fine.weight.dtype):
        weights = PackedWeights()
        for part in (network.backbone, network.fpn, network.protonet, network.head):
            _pack_convolutions(part, weights)


def _pack_convolutions(module: nn.Module, weights: PackedWeights) -> None:
    for name, child in module.named_children():
        # The features of a ResNet outlive the next stage: its first block has a projection, and leaves them.
        if isinstance(child, BasicBlock | Bottleneck):
            setattr(module, name, PackedBlock(child, weights))
        elif is_packable(child):
            setattr(module, name, packed(child, weights))
        else:
            _pack_convolutions(child, weights)
