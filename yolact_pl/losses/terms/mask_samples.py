"""Sampling of the positive anchors whose masks are learned."""

from typing import NamedTuple

import torch
from torch import Tensor

from yolact_pl.geometry.boxes import scale_boxes
from yolact_pl.geometry.masks import resize_masks
from yolact_pl.losses.precision import at_least_float32
from yolact_pl.losses.term import TermInputs
from yolact_pl.losses.transfer import to_device


class MaskSamples(NamedTuple):
    """Slots of an assignment, at most `max_masks` per image, in the order of the images."""

    prototypes: list[Tensor]
    """Per image [K, h, w], float32 or longer."""
    coefficients: Tensor
    """[P, K], float32 or longer."""
    objects: Tensor
    """[P] int64: row of `masks`."""
    masks: Tensor
    """[N, h, w] bool or float in 0..1, of all objects."""
    boxes: Tensor
    """[N, 4] xyxy of all objects, in prototype pixels."""
    weights: Tensor
    """[P]: the weight of the assignment, times the number of slots that each one stands for."""
    counts: list[int]
    """Of each image."""


def mask_samples(inputs: TermInputs, max_masks: int) -> MaskSamples:
    """Choose slots at random where an image has more than `max_masks`."""
    predictions, assignment, targets = inputs.predictions, inputs.assignment, inputs.targets
    height, width = predictions.image_size
    h, w = predictions.prototypes.shape[-2:]
    kept, shares, counts = limit_masks(assignment.counts, max_masks=max_masks)
    kept = to_device(kept, targets.boxes.device)
    objects = assignment.objects[kept]
    coefficients = predictions.coefficients[assignment.image[kept], assignment.anchor[kept]]
    return MaskSamples(
        prototypes=_per_image(at_least_float32(predictions.prototypes)),
        coefficients=at_least_float32(coefficients),
        objects=objects,
        masks=_prototype_masks(targets.masks, (h, w)),
        boxes=scale_boxes(targets.boxes, x=w / width, y=h / height),
        weights=assignment.weights[kept] * to_device(shares, targets.boxes.device),
        counts=counts,
    )


def limit_masks(counts: list[int], *, max_masks: int) -> tuple[Tensor, Tensor, list[int]]:
    """Choose at random at most `max_masks` slots of each image.

    Args:
        counts: slots of each image.
        max_masks: the most of one image.

    Returns:
        [P'] the chosen slots of all images, ascending; [P'] how many slots each one stands for; and the
        number chosen of each image.
    """
    kept, shares, start = [], [], 0
    for count in counts:
        own = torch.arange(count)
        if count > max_masks:
            own = torch.randperm(count)[:max_masks].sort().values
        kept.append(start + own)
        shares.append(torch.full((len(own),), count / max(len(own), 1)))
        start += count
    return torch.cat(kept), torch.cat(shares), [len(own) for own in kept]


def _per_image(prototypes: Tensor) -> list[Tensor]:
    """[B, K, h, w] as B of [K, h, w], so that their gradients are joined channels last, as networks want."""
    return [pixels.movedim(2, 0) for pixels in prototypes.movedim(1, 3).unbind()]


def _prototype_masks(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """[N, *size] bool, or float as it is where it has that size."""
    soft = masks.is_floating_point() and masks.shape[-2:] == size
    return masks if soft else resize_masks(masks, size)
