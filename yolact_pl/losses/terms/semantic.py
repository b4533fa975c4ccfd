"""The term of the semantic branch, which only training has."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.geometry.masks import resize_masks
from yolact_pl.losses.precision import at_least_float32
from yolact_pl.losses.term import TermInputs


class SemanticLoss(nn.Module):
    """Binary cross-entropy against the class-wise union of the masks but crowds (YOLACT, section 3.4)."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, inputs: TermInputs) -> Tensor | None:
        """See `Term`; per image the sum over classes of the mean over pixels."""
        if inputs.predictions.semantic_logits is None:
            return None
        logits, targets = at_least_float32(inputs.predictions.semantic_logits), inputs.targets
        masks = targets.masks if targets.semantic_masks is None else targets.semantic_masks
        masks = resize_masks(masks, (logits.shape[2], logits.shape[3])) & ~targets.iscrowd[:, None, None]
        # In the memory layout of the logits, which may be channels last.
        union = torch.zeros_like(logits)
        union.index_put_((targets.image, targets.labels), masks.to(logits), accumulate=True)
        # softplus(x) - x t is the cross-entropy of sigmoid(x).
        total = F.softplus(logits).sum() - (logits * union.clamp_(max=1)).sum()
        return self.weight * total / logits[0, 0].numel() / inputs.num_images
