"""Data that flows between the parts: names, shapes and units, said once.

One unit: every box or anchor is `xyxy` in pixels of the image that it belongs to: x to the right, y down, the
outer edges of an image at 0 and at its width or height.

Letters used in all shapes:

    B images of a batch      A anchors           C classes, background not counted
    K prototypes             N objects           P positive anchors
    H W image                h w prototypes      h' w' semantic map
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import NotRequired  # typing.NotRequired starts with Python 3.11

from yolact_pl.images.placement import Placement


class ImageInfo(TypedDict):
    """Which image it is: all that a validation batch says of one."""

    image_id: int
    """The id in the annotation file."""
    size: tuple[int, int]
    """(height, width) of the original image."""
    placement: NotRequired[Placement]
    """Of the original image on its input; absent, it is stretched all over it."""


class Target(ImageInfo):
    """What is known of one image: its objects and crowd regions, in any order."""

    boxes: Tensor
    """[N, 4] float32, in pixels of the network's input (training) or of the original image (evaluation)."""
    labels: Tensor
    """[N] int64, 0-based, background not counted."""
    masks: Tensor
    """[N, any, any] bool; see `Targets.masks`."""
    semantic_masks: NotRequired[Tensor]
    """[N, h', w'] bool; see `Targets.semantic_masks`."""
    iscrowd: Tensor
    """[N] bool: true where the row is a region with many objects that nobody outlined one by one."""


@dataclass(eq=False)  # not frozen: Lightning converts the tensors of batches in other precisions
class Targets:
    """The objects and crowd regions of a training batch: the rows of all images, in the order of the images.

    `len` is the number of images.
    """

    boxes: Tensor
    """[N, 4] float32, in pixels of the network's input."""
    labels: Tensor
    """[N] int64, 0-based, background not counted."""
    masks: Tensor
    """[N, any, any] bool: at the prototypes' resolution from the data workers; the loss resizes others. Or
    float in 0..1 at the prototypes' resolution: the covered share of each pixel."""
    semantic_masks: Tensor | None
    """[N, h', w'] bool: the same masks at the semantic map's resolution; None: `masks` are resized."""
    iscrowd: Tensor
    """[N] bool."""
    image: Tensor
    """[N] int64, ascending: the image of each row."""
    image_ids: list[int]
    """The id of each image in the annotation file."""

    @classmethod
    def join(cls, targets: Sequence[Target]) -> "Targets":
        """The rows of all images; masks of different sizes are padded with zeros at the right and bottom."""
        counts = torch.tensor([len(target["labels"]) for target in targets])
        semantic_masks = [target["semantic_masks"] for target in targets if "semantic_masks" in target]
        return cls(
            boxes=torch.cat([target["boxes"] for target in targets]),
            labels=torch.cat([target["labels"] for target in targets]),
            masks=_padded([target["masks"] for target in targets]),
            semantic_masks=_padded(semantic_masks) if semantic_masks else None,
            iscrowd=torch.cat([target["iscrowd"] for target in targets]),
            image=torch.arange(len(targets)).repeat_interleave(counts),
            image_ids=[target["image_id"] for target in targets],
        )

    def __len__(self) -> int:
        return len(self.image_ids)

    def pin_memory(self) -> "Targets":
        """For DataLoader. Only the masks: the rest is small, and the assigner reads it on the CPU."""
        semantic_masks = None if self.semantic_masks is None else self.semantic_masks.pin_memory()
        return replace(self, masks=self.masks.pin_memory(), semantic_masks=semantic_masks)


class Predictions(NamedTuple):
    """What the network says of a batch, before any choice is made."""

    class_logits: Tensor
    """[B, A, 1 + C] for the published decoder, column 0 being background; [B, A, C] for the modern one."""
    box_deltas: Tensor
    """[B, A, 4]: boxes relative to the anchors, as the decoder codes them."""
    coefficients: Tensor
    """[B, A, K], in -1..1 as published."""
    prototypes: Tensor
    """[B, K, h, w], not negative as published."""
    anchors: Tensor
    """[A, 4] xyxy in pixels of the network's input; may reach outside of it."""
    semantic_logits: Tensor | None
    """[B, C, h', w'] in training, None otherwise."""
    image_size: tuple[int, int]
    """(height, width) of the network's input: the unit of the anchors."""


Batch = tuple[Tensor, Targets]
"""Training images [B, 3, H, W] uint8, RGB in 0..255 (the network normalises), and their targets."""

EvaluationBatch = tuple[Tensor, list[ImageInfo]]
"""Validation images [B, 3, H, W] float32, RGB in 0..255, resized without rounding, padded to one size."""


def _padded(masks: Sequence[Tensor]) -> Tensor:
    """The rows of all [N, h, w], padded with zeros to the largest height and width."""
    height, width = (max(part.shape[side] for part in masks) for side in (1, 2))
    return torch.cat([F.pad(part, (0, width - part.shape[2], 0, height - part.shape[1])) for part in masks])
