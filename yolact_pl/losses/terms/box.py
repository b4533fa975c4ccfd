"""The box regression term."""

import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.losses.precision import at_least_float32
from yolact_pl.losses.term import TermInputs


class SmoothL1BoxLoss(nn.Module):
    """Smooth L1 between predicted and encoded box deltas of the positive anchors (SSD, section 2.2)."""

    def __init__(self, weight: float = 1.5) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, inputs: TermInputs) -> Tensor:
        """See `Term`; per positive anchor the sum over its four deltas."""
        predictions, assignment = inputs.predictions, inputs.assignment
        deltas = at_least_float32(predictions.box_deltas[assignment.image, assignment.anchor])
        anchors = predictions.anchors[assignment.anchor].float()
        truth = inputs.decoder.encode(inputs.targets.boxes[assignment.objects], anchors)
        losses = F.smooth_l1_loss(deltas, truth.to(deltas.dtype), reduction="none").sum(1)
        return self.weight * (losses * assignment.weights).sum() / inputs.num_positives
