"""The loss of the semantic branch, which only helps training."""

import torch
import torch.nn.functional as F
from torch import Tensor

from yolact_pl.losses.precision import at_least_float32


def semantic_loss(semantic_logits: Tensor, masks: Tensor, image: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy against the class-wise union of the masks (YOLACT, section 4.2).

    Args:
        semantic_logits: [B, C, h', w'].
        masks: [N, h', w'] bool, the objects of all images.
        image: [N] int64, the image of each object.
        labels: [N] int64, 0-based.

    Returns:
        the sum over images, classes and pixels, divided by h' w'.
    """
    logits = at_least_float32(semantic_logits)
    # In the memory layout of the logits, which a network may give channels last.
    union = torch.zeros_like(logits).index_put_((image, labels), masks.to(logits), accumulate=True)
    # softplus(x) - x t is the cross-entropy of sigmoid(x).
    total = F.softplus(logits).sum() - (logits * union.clamp_(max=1)).sum()
    return total / logits[0, 0].numel()
