"""The loss of YOLACT and YOLACT++ as named terms."""

from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor, nn

from yolact_pl.decoders.decoder import Decoder
from yolact_pl.losses.assigners.assigner import Assigner
from yolact_pl.losses.term import TermInputs
from yolact_pl.losses.transfer import targets_to_device
from yolact_pl.structures import Predictions, Targets


class YolactLoss(nn.Module):
    """Assigns objects to anchors and sums terms (YOLACT, sections 3 and 5; YOLACT++, section 6.1).

    The normalisers are averaged over the processes of a distributed run: so the averaged gradient of all
    processes is that of one process with all the images.

    Args:
        decoder: of the network's class logits and box deltas.
        assigner: chooses the anchors that learn objects.
        terms: by name, see `Term`.
    """

    def __init__(self, decoder: Decoder, assigner: Assigner, terms: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.decoder = decoder
        self.assigner = assigner
        self.terms = nn.ModuleDict(terms)

    def forward(
        self, predictions: Predictions, targets: Targets, mask_iou: nn.Module | None = None
    ) -> dict[str, Tensor]:
        """The terms, whose sum is to be minimised. A GPU is not waited for.

        Args:
            predictions: of B images.
            targets: of the same images, on the CPU, boxes in the unit of the anchors.
            mask_iou: YOLACT++'s network, see `TermInputs`.
        """
        device = predictions.class_logits.device
        with torch.autocast(device.type, enabled=False):
            assignment = self.assigner(predictions, targets)
            num_positives, num_images = _per_process(assignment.weights.sum(), len(targets))
            inputs = TermInputs(
                predictions,
                targets_to_device(targets, device),
                assignment,
                self.decoder,
                num_positives,
                num_images,
                mask_iou,
            )
            terms = {name: term(inputs) for name, term in self.terms.items()}
            return {name: value for name, value in terms.items() if value is not None}


def _per_process(positives: Tensor, num_images: int) -> tuple[Tensor, Tensor]:
    """Both normalisers averaged over the processes; of all processes together each is at least 1."""
    totals = torch.stack((positives, torch.full_like(positives, num_images)))
    num_processes = 1
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(totals)
        num_processes = dist.get_world_size()
    per_process = totals.clamp(min=1) / num_processes
    return per_process[0], per_process[1]
