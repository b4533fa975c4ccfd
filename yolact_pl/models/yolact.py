"""The published network."""

from torch import Tensor, nn

from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.backbone import Backbone
from yolact_pl.models.fpn import Fpn
from yolact_pl.models.head import PredictionHead
from yolact_pl.models.mask_iou import MaskIouNet
from yolact_pl.models.network import YolactNetwork
from yolact_pl.models.protonet import ProtoNet


class Yolact(YolactNetwork):
    """YOLACT and YOLACT++ as published, over any backbone."""

    def __init__(
        self,
        backbone: Backbone,
        anchors: Anchors,
        *,
        num_classes: int,
        channels: int = 256,
        num_prototypes: int = 32,
        semantic: bool = True,
        mask_iou: bool = False,
    ) -> None:
        """Args:
        backbone: see `YolactNetwork`.
        anchors: one scale for each level P3..P7.
        num_classes: C, background not counted.
        channels: of the pyramid and of all that reads it.
        num_prototypes: K.
        semantic: have the semantic segmentation branch, which only training uses (section 3.4).
        mask_iou: have the mask re-scoring network of YOLACT++.
        """
        super().__init__(
            backbone,
            anchors,
            num_classes=num_classes,
            fpn=Fpn(backbone.channels[1:], channels),
            protonet=ProtoNet(channels, num_prototypes),
            head=PredictionHead(
                channels, anchors.num_per_cell, num_classes=num_classes, num_prototypes=num_prototypes
            ),
            semantic=nn.Conv2d(channels, num_classes, 1) if semantic else None,
            mask_iou=MaskIouNet(num_classes) if mask_iou else None,
        )
        for part in (self.fpn, self.protonet, self.head, self.semantic, self.mask_iou):
            if part is not None:
                part.apply(initialise_conv)

    def prototypes(self, c2: Tensor, p3: Tensor) -> Tensor:
        """[B, K, 2 height, 2 width] of P3 alone."""
        return self.protonet(p3)


def initialise_conv(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases of a convolution, as in the published training."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
