"""Losses of the class scores: each a swap point that takes logits and matches and gives a sum."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.losses.assigners.iou_matching import BACKGROUND, NEUTRAL, Matches
from yolact_pl.losses.precision import at_least_float32


class HardNegativeCrossEntropy(nn.Module):
    """Softmax cross-entropy over the positive anchors and the hardest of the background anchors.

    YOLACT, section 5; SSD, section 2.2: the hardest are those that look least like background.

    Args:
        negatives_per_positive: how many background anchors count for each positive one of the same image.
    """

    def __init__(self, negatives_per_positive: int = 3) -> None:
        super().__init__()
        self.negatives_per_positive = negatives_per_positive

    def forward(self, class_logits: Tensor, matches: Matches) -> Tensor:
        """The sum over the anchors that count.

        Args:
            class_logits: [B, A, 1 + C].
            matches: of the same images and anchors.
        """
        negatives, labels = self._hard_negatives(class_logits, matches)
        positives = matches.image * class_logits.shape[1] + matches.anchor
        logits = at_least_float32(class_logits.flatten(0, 1)[torch.cat((positives, negatives))])
        labels = torch.cat((matches.labels[matches.image, matches.anchor], labels))
        return F.cross_entropy(logits, labels, ignore_index=NEUTRAL, reduction="sum")

    @torch.no_grad()
    def _hard_negatives(self, class_logits: Tensor, matches: Matches) -> tuple[Tensor, Tensor]:
        """Anchors, counted over all images, and labels: neutral where an image has too few negatives."""
        num_anchors = class_logits.shape[1]
        hardness = background_loss(class_logits).masked_fill_(matches.labels != BACKGROUND, -1.0)
        chosen, labels = [], []
        for image, (own, count) in enumerate(zip(hardness, matches.counts, strict=True)):
            values, anchors = own.topk(min(self.negatives_per_positive * count, num_anchors))
            chosen.append(image * num_anchors + anchors)
            labels.append(torch.where(values >= 0, BACKGROUND, NEUTRAL))
        return torch.cat(chosen), torch.cat(labels)


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

    def forward(self, class_logits: Tensor, matches: Matches) -> Tensor:
        """The sum over the anchors that count; arguments as `HardNegativeCrossEntropy.forward`."""
        labels = matches.labels
        log_scores = at_least_float32(class_logits).log_softmax(-1)
        log_score = log_scores.gather(-1, labels.clamp(min=BACKGROUND)[..., None])[..., 0]  # [B, A]
        weights = torch.where(labels > BACKGROUND, self.alpha, 1 - self.alpha) * (labels >= BACKGROUND)
        return -(weights * (1 - log_score.exp()) ** self.gamma * log_score).sum()


def background_loss(class_logits: Tensor) -> Tensor:
    """Cross-entropy of every anchor if it were background: [B, A, 1 + C] to [B, A]."""
    # Image by image: the log scores of a whole batch fit no cache and are needed in no other place.
    return torch.stack([-at_least_float32(logits).log_softmax(-1)[:, BACKGROUND] for logits in class_logits])
