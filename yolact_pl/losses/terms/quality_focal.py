"""Classification term on sigmoid scores with soft targets."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.losses.assigners.assigner import NEUTRAL
from yolact_pl.losses.precision import at_least_float32
from yolact_pl.losses.term import TermInputs


class QualityFocalLoss(nn.Module):
    """Binary cross-entropy of every class at every anchor that is not neutral.

    The target of a positive anchor is its weight at the class of its object, and 0 elsewhere. With `beta`
    above 0 each summand is multiplied by |target - score| ** beta (Li et al. 2020, Generalized Focal Loss,
    equation 3).

    Args:
        weight: of the term.
        beta: see above; 0: plain cross-entropy.
    """

    def __init__(self, weight: float = 1.0, *, beta: float = 0.0) -> None:
        super().__init__()
        self.weight = weight
        self.beta = beta

    def forward(self, inputs: TermInputs) -> Tensor:
        """See `Term`."""
        assignment = inputs.assignment
        logits = at_least_float32(inputs.predictions.class_logits)
        targets = torch.zeros_like(logits)
        # Slots without an anchor add 0 to whatever is there.
        place = assignment.image, assignment.anchor, inputs.targets.labels[assignment.objects]
        targets.index_put_(place, assignment.weights.to(targets), accumulate=True)
        losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        if self.beta > 0:
            losses = losses * (targets - logits.detach().sigmoid()).abs() ** self.beta
        taken = (assignment.labels != NEUTRAL)[..., None]
        return self.weight * (losses * taken).sum() / inputs.num_positives
