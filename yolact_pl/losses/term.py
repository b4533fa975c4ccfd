"""The interface of loss terms."""

from typing import NamedTuple, Protocol

from torch import Tensor, nn

from yolact_pl.decoders.decoder import Decoder
from yolact_pl.losses.assigners.assigner import Assignment
from yolact_pl.structures import Predictions, Targets


class TermInputs(NamedTuple):
    """What terms are computed from, all on one device."""

    predictions: Predictions
    targets: Targets
    assignment: Assignment
    decoder: Decoder
    num_positives: Tensor
    """The normaliser of sums over positive anchors: their weight, averaged over the processes."""
    num_images: Tensor
    """The normaliser of sums over images: their number, averaged over the processes."""
    mask_iou: nn.Module | None
    """YOLACT++'s network, [N, 1, h, w] cropped soft masks to [N, C] IoUs."""


class Term(Protocol):
    """One summand of the loss."""

    def __call__(self, inputs: TermInputs) -> Tensor | None:
        """A weighted and normalised scalar with a graph, also for images without objects.

        In float32 or longer; None if the network lacks the outputs that the term is about.
        """
        ...
