"""Losses of the class scores: each a swap point that takes logits and matched labels and gives a sum."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.losses.matching import BACKGROUND


class HardNegativeCrossEntropy(nn.Module):
    """Softmax cross-entropy over the positive anchors and the hardest of the background anchors.

    YOLACT, section 5; SSD, section 2.2: the hardest are those that look least like background.

    Args:
        negatives_per_positive: how many background anchors count for each positive one of the same image.
    """

    def __init__(self, negatives_per_positive: int = 3) -> None:
        super().__init__()
        self.negatives_per_positive = negatives_per_positive

    def forward(self, class_logits: Tensor, labels: Tensor) -> Tensor:
        """The sum over the anchors that count.

        Args:
            class_logits: [B, A, 1 + C].
            labels: [B, A] int64: -1 neutral, 0 background, otherwise 1 + label.
        """
        chosen = (labels > BACKGROUND) | self._hard_negatives(class_logits, labels)
        return F.cross_entropy(class_logits[chosen].float(), labels[chosen], reduction="sum")

    @torch.no_grad()
    def _hard_negatives(self, class_logits: Tensor, labels: Tensor) -> Tensor:
        """[B, A] bool."""
        num_negatives = self.negatives_per_positive * (labels > BACKGROUND).sum(1)  # [B]
        hardness = background_loss(class_logits).masked_fill_(labels != BACKGROUND, -1.0)
        most = min(int(num_negatives.max()), labels.shape[1])
        values, anchors = hardness.topk(most, dim=1)
        counts = torch.arange(most, device=labels.device) < num_negatives[:, None]
        return torch.zeros_like(labels, dtype=torch.bool).scatter_(1, anchors, counts & (values >= 0))


class SoftmaxFocalLoss(nn.Module):
    """Focal loss on the softmax over background and classes, of all anchors that are not neutral.

    Lin et al., Focal Loss for Dense Object Detection, equation 5.

    Args:
        alpha: weight of the positive anchors; background anchors have 1 - alpha.
        gamma: how strongly anchors that are already right are played down.
    """

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0) -> None:
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma

    def forward(self, class_logits: Tensor, labels: Tensor) -> Tensor:
        """The sum over the anchors that count; arguments as `HardNegativeCrossEntropy.forward`."""
        log_scores = class_logits.float().log_softmax(-1)
        log_score = log_scores.gather(-1, labels.clamp(min=BACKGROUND)[..., None])[..., 0]  # [B, A]
        weights = torch.where(labels > BACKGROUND, self.alpha, 1 - self.alpha) * (labels >= BACKGROUND)
        return -(weights * (1 - log_score.exp()) ** self.gamma * log_score).sum()


def background_loss(class_logits: Tensor) -> Tensor:
    """Cross-entropy of every anchor if it were background: [B, A, 1 + C] to [B, A] float32."""
    # Image by image: the log scores of a whole batch fit no cache and are needed in no other place.
    return torch.stack([-logits.float().log_softmax(-1)[:, BACKGROUND] for logits in class_logits])
