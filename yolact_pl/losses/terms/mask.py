"""The mask term."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from yolact_pl.geometry.boxes import box_area
from yolact_pl.geometry.masks import crop_masks
from yolact_pl.losses.term import TermInputs
from yolact_pl.losses.terms.mask_samples import mask_samples

LOG_LIMIT = 100.0
"""Loss of a pixel whose predicted probability is exactly 0: logarithms are clamped as in
`F.binary_cross_entropy`."""
OUTSIDE = -1e4
"""Added to logits outside of the crop: their sigmoid is 0."""


class MaskLoss(nn.Module):
    """Binary cross-entropy of assembled masks cropped to their objects' boxes (YOLACT, sections 3.3 and 5).

    The pixels of each mask are summed and divided by the area of its object's box.

    Args:
        weight: of the term.
        max_masks: the most masks of one image that are learned in a step, chosen at random; they are weighted
            to stand for all.
    """

    def __init__(self, weight: float = 6.125, *, max_masks: int = 100) -> None:
        super().__init__()
        self.weight = weight
        self.max_masks = max_masks

    def forward(self, inputs: TermInputs) -> Tensor:
        """See `Term`. Memory holds the masks of one image at a time: backward computes them again."""
        samples = mask_samples(inputs, self.max_masks)
        parts = (
            part.split(samples.counts) for part in (samples.coefficients, samples.objects, samples.boxes)
        )
        losses = [
            checkpoint(_losses_of_image, *own, samples.masks, use_reentrant=False, preserve_rng_state=False)
            for own in zip(samples.prototypes, *parts, strict=True)
        ]
        weights = samples.weights / box_area(samples.boxes)
        return self.weight * (torch.cat(losses) * weights).sum() / inputs.num_positives


def _losses_of_image(
    prototypes: Tensor, coefficients: Tensor, objects: Tensor, boxes: Tensor, masks: Tensor
) -> Tensor:
    """[P] losses of an image's masks; arguments as in `MaskSamples`."""
    with torch.no_grad():
        truth = masks[objects].to(prototypes)
        outside = crop_masks(torch.ones_like(truth, dtype=torch.bool), boxes).logical_not_().flatten(1)
        truth = truth.flatten(1)
        cropped = truth.masked_fill(outside, 0)
        missed = truth.sum(1) - cropped.sum(1)
        shift = outside.to(truth).mul_(OUTSIDE)
    logits = torch.addmm(shift, coefficients, prototypes.flatten(1))  # [P, h w]
    # softplus(x) - x t is the cross-entropy of sigmoid(x).
    # The softplus comes last: backward computes again what stands before it, and then has all it needs.
    return LOG_LIMIT * missed - torch.linalg.vecdot(logits, cropped) + F.softplus(logits).sum(1)
