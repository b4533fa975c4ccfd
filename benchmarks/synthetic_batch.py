"""Targets and predictions made up with a fixed seed, as a batch of COCO images at 550 px would have them."""

import torch
from torch import Tensor

from yolact_pl.decoders.anchor_decoder import AnchorDecoder
from yolact_pl.geometry.masks import resize_masks
from yolact_pl.losses.assigners.iou_assigner import IouAssigner
from yolact_pl.losses.terms.box import SmoothL1BoxLoss
from yolact_pl.losses.terms.classification import HardNegativeCrossEntropy
from yolact_pl.losses.terms.mask import MaskLoss
from yolact_pl.losses.terms.semantic import SemanticLoss
from yolact_pl.losses.yolact_loss import YolactLoss
from yolact_pl.models.anchors import Anchors
from yolact_pl.structures import Predictions, Target

SIZE = 550
LEVELS = [(69, 69), (35, 35), (18, 18), (9, 9), (5, 5)]
SCALES, RATIOS = (24, 48, 96, 192, 384), (1.0, 0.5, 2.0)
NUM_CLASSES, NUM_PROTOTYPES = 80, 32
PROTOTYPES, SEMANTIC = (138, 138), (69, 69)


def published_loss() -> YolactLoss:
    """With the published terms and weights."""
    terms = {
        "box": SmoothL1BoxLoss(),
        "class": HardNegativeCrossEntropy(),
        "mask": MaskLoss(),
        "semantic": SemanticLoss(),
    }
    return YolactLoss(AnchorDecoder(), IouAssigner(), terms)


def make_anchors(octaves: int = 1) -> Tensor:
    """19,248 anchors as in YOLACT with one octave, 57,744 as in YOLACT++ with three."""
    return Anchors(SCALES, RATIOS, octaves=octaves)(LEVELS, (SIZE, SIZE))


def full_size_target(generator: torch.Generator, num_objects: int) -> Target:
    """Ellipses of 2 % to 80 % of the image's side, with float masks [N, 550, 550]."""
    size = SIZE * 0.02 * 40 ** torch.rand(num_objects, 2, generator=generator)
    centre = size / 2 + (SIZE - size) * torch.rand(num_objects, 2, generator=generator)
    x, y, w, h = torch.cat((centre, size), dim=1).T[:, :, None, None]
    grid = torch.arange(SIZE) + 0.5
    return Target(
        boxes=torch.cat((centre - size / 2, centre + size / 2), dim=1),
        labels=torch.randint(NUM_CLASSES, (num_objects,), generator=generator),
        masks=(((grid - x) / w) ** 2 + ((grid[:, None] - y) / h) ** 2 <= 0.25).float(),
        iscrowd=torch.zeros(num_objects, dtype=torch.bool),
        image_id=0,
        size=(SIZE, SIZE),
    )


def small_target(target: Target) -> Target:
    """The same as the data workers give it: masks made small before they reach the loss."""
    masks = target["masks"]
    return {
        **target,
        "masks": resize_masks(masks, PROTOTYPES),
        "semantic_masks": resize_masks(masks, SEMANTIC),
    }


def make_predictions(
    generator: torch.Generator, batch_size: int, anchors: Tensor, *, num_classes: int = NUM_CLASSES
) -> Predictions:
    """What a half trained network might say; leaves that want a gradient."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return Predictions(
        class_logits=normal(batch_size, len(anchors), 1 + num_classes).requires_grad_(),
        box_deltas=normal(batch_size, len(anchors), 4).requires_grad_(),
        coefficients=normal(batch_size, len(anchors), NUM_PROTOTYPES).tanh().requires_grad_(),
        prototypes=normal(batch_size, NUM_PROTOTYPES, *PROTOTYPES).relu().requires_grad_(),
        anchors=anchors,
        semantic_logits=(normal(batch_size, num_classes, *SEMANTIC) - 3).requires_grad_(),
        image_size=(SIZE, SIZE),
    )
