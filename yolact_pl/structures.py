"""The data that flows between the parts: names, shapes and units, said once.

One unit: every box or anchor is `xyxy` in pixels of the image that it belongs to: x to the right, y down, the
outer edges of an image at 0 and at its width or height.

Letters used in all shapes:

    B images of a batch      A anchors           C classes, background not counted
    K prototypes             N objects           P positive anchors
    H W image                h w prototypes      h' w' semantic map
"""

from typing import NamedTuple, TypedDict

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
    """[N, any, any] bool: at the prototypes' resolution from the data workers, but any resolution is right:
    the loss resizes what does not fit. Or float in 0..1 at the prototypes' resolution: the covered share of
    each pixel."""
    semantic_masks: NotRequired[Tensor]
    """[N, h', w'] bool: the same masks at the semantic map's resolution; absent, `masks` are resized."""
    iscrowd: Tensor
    """[N] bool: true where the row is a region with many objects that nobody outlined one by one."""


class Predictions(NamedTuple):
    """What the network says of a batch, before any choice is made."""

    class_logits: Tensor
    """[B, A, 1 + C] for the published decoder, column 0 being background."""
    box_deltas: Tensor
    """[B, A, 4]: boxes relative to the anchors, as the decoder codes them."""
    coefficients: Tensor
    """[B, A, K] in -1..1."""
    prototypes: Tensor
    """[B, K, h, w], not negative."""
    anchors: Tensor
    """[A, 4] xyxy in pixels of the network's input; may reach outside of it."""
    semantic_logits: Tensor | None
    """[B, C, h', w'] in training, None otherwise."""
    image_size: tuple[int, int]
    """(height, width) of the network's input: the unit of the anchors."""


Batch = tuple[Tensor, list[Target]]
"""Training images [B, 3, H, W] uint8, RGB in 0..255 (the network normalises), and one target an image."""

EvaluationBatch = tuple[Tensor, list[ImageInfo]]
"""Validation images [B, 3, H, W] float32, RGB in 0..255, resized without rounding, padded to one size."""
