"""The loss of the semantic branch, which only helps training."""

import torch
import torch.nn.functional as F
from torch import Tensor


def semantic_loss(semantic_logits: Tensor, masks: Tensor, channels: Tensor) -> Tensor:
    """Binary cross-entropy against the class-wise union of the masks (YOLACT, section 4.2).

    Args:
        semantic_logits: [B, C, h', w'].
        masks: [N, h', w'] bool, the objects of all images.
        channels: [N] int64: image * C + label of each object.

    Returns:
        the sum over images, classes and pixels, divided by h' w'.
    """
    logits = semantic_logits.float().flatten(0, 1).flatten(1)  # [B C, h' w']
    union = torch.zeros_like(logits).index_add_(0, channels, masks.flatten(1).to(logits)).clamp_(max=1)
    # softplus(x) - x t is the cross-entropy of sigmoid(x); the second sum is one dot product.
    total = F.softplus(logits).sum() - torch.dot(logits.flatten(), union.flatten())
    return total / logits.shape[1]
