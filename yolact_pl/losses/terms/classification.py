"""Classification terms on the softmax over background (column 0) and classes."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.losses.assigners.assigner import BACKGROUND, NEUTRAL, Assignment
from yolact_pl.losses.precision import at_least_float32
from yolact_pl.losses.term import TermInputs


class HardNegativeCrossEntropy(nn.Module):
    """Softmax cross-entropy over the positive anchors and the hardest background anchors.

    YOLACT, section 5; SSD, section 2.2: the hardest are those with the largest loss as background.

    Args:
        weight: of the term.
        negatives_per_positive: background anchors for each positive anchor of the same image.
        min_negatives: background anchors of each image at least; with 0, as published, an image without
            objects teaches nothing.
    """

    def __init__(
        self, weight: float = 1.0, *, negatives_per_positive: int = 3, min_negatives: int = 0
    ) -> None:
        super().__init__()
        self.weight = weight
        self.negatives_per_positive = negatives_per_positive
        self.min_negatives = min_negatives

    def forward(self, inputs: TermInputs) -> Tensor:
        """See `Term`."""
        class_logits, assignment = inputs.predictions.class_logits, inputs.assignment
        negatives, labels = self._hard_negatives(class_logits, assignment)
        positives = assignment.image * class_logits.shape[1] + assignment.anchor
        logits = at_least_float32(class_logits.flatten(0, 1)[torch.cat((positives, negatives))])
        labels = torch.cat((assignment.labels[assignment.image, assignment.anchor], labels))
        losses = F.cross_entropy(logits, labels, ignore_index=NEUTRAL, reduction="none")
        of_positives, of_negatives = losses.split((len(positives), len(negatives)))
        total = (of_positives * assignment.weights).sum() + of_negatives.sum()
        return self.weight * total / inputs.num_positives

    @torch.no_grad()
    def _hard_negatives(self, class_logits: Tensor, assignment: Assignment) -> tuple[Tensor, Tensor]:
        """Anchors, counted over all images, and labels: neutral where an image has too few negatives."""
        num_anchors = class_logits.shape[1]
        hardness = background_loss(class_logits).masked_fill_(assignment.labels != BACKGROUND, -1.0)
        chosen, labels = [], []
        for image, (own, count) in enumerate(zip(hardness, assignment.counts, strict=True)):
            wanted = max(self.negatives_per_positive * count, self.min_negatives)
            values, anchors = own.topk(min(wanted, num_anchors))
            chosen.append(image * num_anchors + anchors)
            labels.append(torch.where(values >= 0, BACKGROUND, NEUTRAL))
        return torch.cat(chosen), torch.cat(labels)


class SoftmaxFocalLoss(nn.Module):
    """Focal loss on the softmax, over all anchors that are not neutral.

    Lin et al., Focal Loss for Dense Object Detection, equation 5.

    Args:
        weight: of the term.
        alpha: weight of the positive anchors; background anchors have 1 - alpha.
        gamma: exponent that reduces the loss of anchors that are already right.
    """

    def __init__(self, weight: float = 1.0, *, alpha: float = 0.25, gamma: float = 2.0) -> None:
        super().__init__()
        self.weight = weight
        self.alpha = alpha
        self.gamma = gamma

    def forward(self, inputs: TermInputs) -> Tensor:
        """See `Term`."""
        labels = inputs.assignment.labels
        log_scores = at_least_float32(inputs.predictions.class_logits).log_softmax(-1)
        log_score = log_scores.gather(-1, labels.clamp(min=BACKGROUND)[..., None])[..., 0]  # [B, A]
        weights = torch.where(labels > BACKGROUND, self.alpha, 1 - self.alpha) * (labels >= BACKGROUND)
        total = -(weights * (1 - log_score.exp()) ** self.gamma * log_score).sum()
        return self.weight * total / inputs.num_positives


def background_loss(class_logits: Tensor) -> Tensor:
    """Cross-entropy of every anchor if it were background: [B, A, 1 + C] to [B, A]."""
    # Per image: the log scores of a whole batch fit no cache.
    return torch.stack([-at_least_float32(logits).log_softmax(-1)[:, BACKGROUND] for logits in class_logits])
