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
        objects, truth = samples.objects, samples.masks.flatten(1)
        outside = ~crop_masks(torch.ones_like(samples.masks, dtype=torch.bool), samples.boxes).flatten(1)
        cropped = truth.masked_fill(outside, 0)
        # Outside of the crop the predicted probability is exactly 0.
        missed = LOG_LIMIT * (truth.sum(1) - cropped.sum(1))
        parts = samples.coefficients.split(samples.counts), objects.split(samples.counts)
        losses = [
            checkpoint(
                _losses_of_image, *own, cropped, outside, use_reentrant=False, preserve_rng_state=False
            )
            for own in zip(samples.prototypes, *parts, strict=True)
        ]
        weights = samples.weights / box_area(samples.boxes)[objects]
        return self.weight * ((torch.cat(losses) + missed[objects]) * weights).sum() / inputs.num_positives


def _losses_of_image(
    prototypes: Tensor, coefficients: Tensor, objects: Tensor, cropped: Tensor, outside: Tensor
) -> Tensor:
    """[P] losses within the crops of an image's masks.

    Args:
        prototypes: [K, h, w].
        coefficients: [P, K].
        objects: [P] int64, rows of the next two.
        cropped: [N, h w] masks, zero outside of the crop.
        outside: [N, h w] bool, outside of the crop.
    """
    shift = outside[objects].to(prototypes).mul_(OUTSIDE)
    logits = torch.addmm(shift, coefficients, prototypes.flatten(1))  # [P, h w]
    # softplus(x) - x t is the cross-entropy of sigmoid(x). The softplus comes last: backward computes again
    # what stands before it, and then has all it needs.
    linear = torch.linalg.vecdot(logits, cropped[objects].to(logits))
    return F.softplus(logits).sum(1) - linear
