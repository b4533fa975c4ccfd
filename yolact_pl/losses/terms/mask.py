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
DICE_EPSILON = 1.0
"""In pixels: of masks smaller than one the coefficient says little."""


class MaskLoss(nn.Module):
    """Binary cross-entropy of assembled masks cropped to their objects' boxes (YOLACT, sections 3.3 and 5).

    The pixels of each mask are summed and divided by the area of its object's box.

    Args:
        weight: of the term.
        dice: weight of a second summand beside the cross-entropy, 1 - the Dice coefficient of the cropped
            mask (Milletari et al. 2016, section 3), which counts small and large objects alike.
        max_masks: the most masks of one image that are learned in a step, chosen at random; they are weighted
            to stand for all.
    """

    def __init__(self, weight: float = 6.125, *, dice: float = 0.0, max_masks: int = 100) -> None:
        super().__init__()
        self.weight = weight
        self.dice = dice
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
        area = box_area(samples.boxes)
        missed = missed / area
        losses = [
            checkpoint(
                self._losses_of_image,
                *own,
                cropped,
                outside,
                area,
                use_reentrant=False,
                preserve_rng_state=False,
            )
            for own in zip(samples.prototypes, *parts, strict=True)
        ]
        losses = (torch.cat(losses) + missed[objects]) * samples.weights
        return self.weight * losses.sum() / inputs.num_positives

    def _losses_of_image(
        self,
        prototypes: Tensor,
        coefficients: Tensor,
        objects: Tensor,
        cropped: Tensor,
        outside: Tensor,
        area: Tensor,
    ) -> Tensor:
        """[P] losses within the crops of an image's masks.

        Args:
            prototypes: [K, h, w].
            coefficients: [P, K].
            objects: [P] int64, rows of the next three.
            cropped: [N, h w] masks, zero outside of the crop.
            outside: [N, h w] bool, outside of the crop.
            area: [N] of the boxes in prototype pixels.
        """
        shift = outside[objects].to(prototypes).mul_(OUTSIDE)
        logits = torch.addmm(shift, coefficients, prototypes.flatten(1))  # [P, h w]
        truth = cropped[objects].to(logits)
        # softplus(x) - x t is the cross-entropy of sigmoid(x). The softplus comes last: backward computes
        # again what stands before it, and then has all it needs.
        linear = torch.linalg.vecdot(logits, truth)
        losses = (F.softplus(logits).sum(1) - linear) / area[objects]
        if self.dice == 0:
            return losses
        scores = logits.sigmoid()
        shared = torch.linalg.vecdot(scores, truth)
        total = scores.square().sum(1) + truth.square().sum(1)
        return losses + self.dice * (1 - (2 * shared + DICE_EPSILON) / (total + DICE_EPSILON))
