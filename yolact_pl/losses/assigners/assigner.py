"""The interface of assigners, and what they return."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from yolact_pl.losses.transfer import to_device
from yolact_pl.structures import Predictions, Targets

NEUTRAL, BACKGROUND = -1, 0


class Assignment(NamedTuple):
    """What each anchor of a batch learns, with P slots for positive anchors.

    An assigner that must not wait for the GPU gives every object as many slots; those without an anchor have
    weight 0, and any anchor of their image.
    """

    labels: Tensor
    """[B, A] int64: -1 neutral, 0 background, 1 + the object's label: such anchors are positive."""
    image: Tensor
    """[P] int64, ascending: the image of each slot."""
    anchor: Tensor
    """[P] int64: the positive anchor."""
    objects: Tensor
    """[P] int64: its object's row in the targets."""
    weights: Tensor
    """[P] float32: of the slot in each term and in the normaliser; its class target where that is soft."""
    counts: list[int]
    """Slots of each image, known without asking the device."""

    def to(self, device: torch.device) -> "Assignment":
        """The same with its tensors on a device; the CPU does not wait."""
        image, anchor, objects = to_device(torch.stack((self.image, self.anchor, self.objects)), device)
        weights = to_device(self.weights, device)
        return Assignment(to_device(self.labels, device), image, anchor, objects, weights, self.counts)


class Assigner(Protocol):
    """Assigns objects to anchors."""

    def __call__(self, predictions: Predictions, targets: Targets) -> Assignment:
        """An assignment on the predictions' device.

        Args:
            predictions: of B images.
            targets: of the same images, on the CPU, boxes in the unit of the anchors.

        Raises:
            ValueError: an image has more objects than the assigner has anchors for.
        """
        ...
