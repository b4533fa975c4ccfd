"""The network of the YOLACT family, whatever its parts."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.backbone import Backbone
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


class YolactNetwork(nn.Module, ABC):
    """Backbone, pyramid, prototypes and prediction head (YOLACT, figure 2): images to `Predictions`."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: Backbone,
        anchors: Anchors,
        *,
        num_classes: int,
        fpn: nn.Module,
        protonet: nn.Module,
        head: nn.Module,
        semantic: nn.Module | None,
        mask_iou: nn.Module | None,
    ) -> None:
        """Args:
        backbone: gives C2..C5 of normalised images, and says by `mean` and `std` how to normalise.
        anchors: one scale for each level of the pyramid.
        num_classes: C, background not counted.
        fpn: C3..C5 to the levels P3, P4, ...
        protonet: see `prototypes`.
        head: the levels to class logits, box deltas and coefficients.
        semantic: P3 to semantic logits, in training only (section 3.4).
        mask_iou: the mask re-scoring network of YOLACT++; it runs where it is called, not in `forward`.
        """
        super().__init__()
        self._compiled: Callable[..., Maps] | None = None
        self._reuses_memory = False
        self.num_classes = num_classes
        self.backbone = backbone
        self.anchors = anchors
        self.fpn = fpn
        self.protonet = protonet
        self.head = head
        self.semantic = semantic
        self.mask_iou = mask_iou
        self.register_buffer("mean", torch.tensor(backbone.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(backbone.std).view(1, 3, 1, 1), persistent=False)

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

    @abstractmethod
    def prototypes(self, c2: Tensor, p3: Tensor) -> Tensor:
        """[B, K, h, w] of C2 and P3."""

    def compile(self, *args: Any, **options: Any) -> None:
        """Compute through `torch.compile` from now on; copies of the network don't.

        All but the anchors, which stay the same tensor from batch to batch.

        Args:
            args: as of `torch.compile`.
            options: as of `torch.compile`. `mode="reduce-overhead"` launches all the work on a GPU at once,
                as a CUDA graph, which pays where launching takes longer than computing.
        """
        self._compiled = torch.compile(type(self)._maps, *args, **options)
        self._reuses_memory = options.get("mode") == "reduce-overhead"

    def __getstate__(self) -> dict[str, Any]:
        # What is compiled can't be pickled, and belongs to this network alone.
        return {**super().__getstate__(), "_compiled": None}

    def _maps(self, images: Tensor) -> Maps:
        normalised = (images.to(self.mean.dtype) - self.mean) / self.std
        # Networks that predict in half precision normalise before they round.
        dtype = next(self.backbone.parameters()).dtype
        features = self.backbone(normalised.to(dtype))
        levels = self.fpn(features[1:])
        class_logits, box_deltas, coefficients = self.head(levels)
        return Maps(
            class_logits=class_logits,
            box_deltas=box_deltas,
            coefficients=coefficients,
            prototypes=self.prototypes(features[0], levels[0]),
            semantic_logits=self.semantic(levels[0]) if self.training and self.semantic is not None else None,
            level_sizes=[(level.shape[-2], level.shape[-1]) for level in levels],
        )
