"""The mask IoU term of YOLACT++."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.geometry.masks import assemble_masks, crop_masks
from yolact_pl.losses.precision import at_least_float32
from yolact_pl.losses.term import TermInputs
from yolact_pl.losses.terms.mask_samples import mask_samples


class MaskIouLoss(nn.Module):
    """Smooth L1 between the predicted and the true IoU of assembled masks (YOLACT++, section 6.1).

    Args:
        weight: of the term.
        max_masks: see `MaskLoss`.
        min_area: masks of at most so many prototype pixels do not count.
    """

    def __init__(self, weight: float = 25.0, *, max_masks: int = 100, min_area: float = 25) -> None:
        super().__init__()
        self.weight = weight
        self.max_masks = max_masks
        self.min_area = min_area

    def forward(self, inputs: TermInputs) -> Tensor | None:
        """See `Term`. The network is called even without masks, so that its parameters have a gradient."""
        if inputs.mask_iou is None:
            return None
        samples = mask_samples(inputs, self.max_masks)
        pairs = zip(samples.prototypes, samples.coefficients.split(samples.counts), strict=True)
        soft = torch.cat([assemble_masks(*pair) for pair in pairs]).sigmoid()
        soft = crop_masks(soft, samples.boxes[samples.objects].to(soft.dtype))
        with torch.no_grad():
            binary, truth = soft > 0.5, samples.masks[samples.objects] > 0.5
            union = (binary | truth).flatten(1).sum(1)
            iou = (binary & truth).flatten(1).sum(1) / union.clamp(min=1)
            large = truth.flatten(1).sum(1) > self.min_area
        predicted = inputs.mask_iou(soft[:, None].to(next(inputs.mask_iou.parameters()).dtype))
        labels = inputs.targets.labels[samples.objects][:, None]
        of_class = at_least_float32(predicted).gather(1, labels)[:, 0]
        losses = F.smooth_l1_loss(of_class, iou.to(of_class.dtype), reduction="none")
        counted = large & (samples.weights > 0)
        return self.weight * (losses * counted).sum() / inputs.num_positives
