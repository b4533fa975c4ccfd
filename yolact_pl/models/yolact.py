"""The YOLACT network."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.backbone import Backbone
from yolact_pl.models.fpn import Fpn
from yolact_pl.models.head import PredictionHead
from yolact_pl.models.mask_iou import MaskIouNet
from yolact_pl.models.protonet import ProtoNet
from yolact_pl.structures import Predictions


class Maps(NamedTuple):
    """All that is computed from the pixels of a batch: see `Predictions`."""

    class_logits: Tensor
    box_deltas: Tensor
    coefficients: Tensor
    prototypes: Tensor
    semantic_logits: Tensor | None
    level_sizes: list[tuple[int, int]]
    """(height, width) of each pyramid level."""

    def clone(self) -> "Maps":
        """The same in memory of its own."""
        tensors = {name: x.clone() for name, x in self._asdict().items() if isinstance(x, Tensor)}
        return self._replace(**tensors)


class Yolact(nn.Module):
    """Backbone, pyramid, prototypes and prediction head (YOLACT, figure 2): images to `Predictions`."""

    mean: Tensor
    std: Tensor

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
        backbone: gives C2 to C5 of normalised images, of which C2 is not used, and says by `mean` and `std`
            how to normalise.
        anchors: one scale for each level P3..P7.
        num_classes: C, background not counted.
        channels: of the pyramid and of all that reads it.
        num_prototypes: K.
        semantic: have the semantic segmentation branch, which only training uses (section 3.4).
        mask_iou: have the mask re-scoring network of YOLACT++; it runs where it is called, not in `forward`.
        """
        super().__init__()
        self._compiled: Callable[..., Maps] | None = None
        self._reuses_memory = False
        self.num_classes = num_classes
        self.backbone = backbone
        self.anchors = anchors
        self.fpn = Fpn(backbone.channels[1:], channels)
        self.protonet = ProtoNet(channels, num_prototypes)
        self.head = PredictionHead(
            channels, anchors.num_per_cell, num_classes=num_classes, num_prototypes=num_prototypes
        )
        self.semantic = nn.Conv2d(channels, num_classes, 1) if semantic else None
        self.mask_iou = MaskIouNet(num_classes) if mask_iou else None
        self.register_buffer("mean", torch.tensor(backbone.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(backbone.std).view(1, 3, 1, 1), persistent=False)
        for part in (self.fpn, self.protonet, self.head, self.semantic, self.mask_iou):
            if part is not None:
                part.apply(_initialise)

    def forward(self, images: Tensor) -> Predictions:
        """Predict for a batch.

        Args:
            images: [B, 3, H, W] uint8 or float, RGB in 0..255.

        Returns:
            Predictions with semantic logits in training mode only.
        """
        if self._compiled is None:
            maps = self._maps(images)
        else:
            torch.compiler.cudagraph_mark_step_begin()
            maps = self._compiled(self, images)
            if self._reuses_memory and not torch.is_grad_enabled():  # may be looked at after the next batch
                maps = maps.clone()
        image_size = (images.shape[-2], images.shape[-1])
        return Predictions(
            class_logits=maps.class_logits,
            box_deltas=maps.box_deltas,
            coefficients=maps.coefficients,
            prototypes=maps.prototypes,
            anchors=self.anchors(maps.level_sizes, image_size, images.device),
            semantic_logits=maps.semantic_logits,
            image_size=image_size,
        )

    def compile(self, *args: Any, **options: Any) -> None:
        """Compute through `torch.compile` from now on; copies of the network don't.

        All but the anchors, which stay the same tensor from batch to batch.

        Args:
            args: as of `torch.compile`.
            options: as of `torch.compile`. `mode="reduce-overhead"` launches all the work on a GPU at once,
                as a CUDA graph, which pays where launching takes longer than computing.
        """
        self._compiled = torch.compile(Yolact._maps, *args, **options)
        self._reuses_memory = options.get("mode") == "reduce-overhead"

    def __getstate__(self) -> dict[str, Any]:
        # What is compiled can't be pickled, and belongs to this network alone.
        return {**super().__getstate__(), "_compiled": None}

    def _maps(self, images: Tensor) -> Maps:
        normalised = (images.to(self.mean.dtype) - self.mean) / self.std
        # Networks that predict in half precision normalise before they round.
        dtype = next(self.backbone.parameters()).dtype
        levels = self.fpn(self.backbone(normalised.to(dtype))[1:])
        class_logits, box_deltas, coefficients = self.head(levels)
        return Maps(
            class_logits=class_logits,
            box_deltas=box_deltas,
            coefficients=coefficients,
            prototypes=self.protonet(levels[0]),
            semantic_logits=self.semantic(levels[0]) if self.training and self.semantic is not None else None,
            level_sizes=[(level.shape[-2], level.shape[-1]) for level in levels],
        )


def _initialise(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases, as in the published training."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
