"""The modern network."""

from collections.abc import Sequence

from torch import Tensor, nn

from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.backbone import Backbone
from yolact_pl.models.mask_iou import MaskIouNet
from yolact_pl.models.modern.decoupled_head import DecoupledHead
from yolact_pl.models.modern.fine_protonet import FineProtoNet
from yolact_pl.models.modern.normalized_fpn import NormalizedFpn
from yolact_pl.models.network import YolactNetwork
from yolact_pl.models.yolact import initialise_conv


class YolactModern(YolactNetwork):
    """Prototypes and coefficients with norms everywhere, one anchor point per cell, and finer prototypes.

    Its predictions are for `PointDecoder`.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        num_classes: int,
        channels: int = 128,
        num_levels: int = 3,
        tower_depth: int = 1,
        num_prototypes: int = 32,
        prototype_stride: int = 2,
        norm: str = "batch",
        activation: str = "silu",
        semantic: bool = False,
        mask_iou: bool = False,
    ) -> None:
        """Args:
        backbone: see `YolactNetwork`.
        num_classes: C.
        channels: of the pyramid and of all that reads it.
        num_levels: of the pyramid: 3 for P3..P5, more for strided ones above.
        tower_depth: 3x3 convolutions of each tower of the head.
        num_prototypes: K.
        prototype_stride: pixels of the input per prototype pixel, 2 or 4.
        norm: "batch", or "group" for batches of few images.
        activation: "relu" or "silu".
        semantic: have the semantic segmentation branch, which only training uses.
        mask_iou: have the mask re-scoring network of YOLACT++.

        Raises:
            ValueError: a choice that there is not.
        """
        super().__init__(
            backbone,
            anchor_points(num_levels),
            num_classes=num_classes,
            fpn=NormalizedFpn(
                backbone.channels[1:], channels, num_levels=num_levels, norm=norm, activation=activation
            ),
            protonet=FineProtoNet(
                channels,
                backbone.channels[0],
                num_prototypes=num_prototypes,
                stride=prototype_stride,
                norm=norm,
                activation=activation,
            ),
            head=DecoupledHead(
                channels,
                num_classes=num_classes,
                num_prototypes=num_prototypes,
                num_levels=num_levels,
                tower_depth=tower_depth,
                norm=norm,
                activation=activation,
            ),
            semantic=nn.Conv2d(channels, num_classes, 1) if semantic else None,
            mask_iou=MaskIouNet(num_classes) if mask_iou else None,
        )
        for part in (self.semantic, self.mask_iou):
            if part is not None:
                part.apply(initialise_conv)

    def prototypes(self, c2: Tensor, p3: Tensor) -> Tensor:
        """See `FineProtoNet`."""
        return self.protonet(c2, p3)


def anchor_points(num_levels: int) -> Anchors:
    """One square anchor per cell, as large as the cell: strides 8, 16, 32, ..."""
    scales: Sequence[float] = [8 * 2**level for level in range(num_levels)]
    return Anchors(scales, [1])
