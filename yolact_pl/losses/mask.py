"""Losses of the assembled masks, and of the network that predicts how good they are."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.geometry.boxes import box_area
from yolact_pl.geometry.masks import assemble_masks, crop_masks, crop_windows
from yolact_pl.losses.precision import at_least_float32

LOG_LIMIT = 100.0  # no pixel costs more: logarithms end here, as in F.binary_cross_entropy


class Positives(NamedTuple):
    """The positive anchors whose masks are learned, in the order of images and anchors."""

    coefficients: Tensor
    """[P, K]."""
    image: Tensor
    """[P] int64."""
    objects: Tensor
    """[P] int64: row of `masks` and `boxes` below."""
    weights: Tensor
    """[P]: how many anchors each one stands for."""


def limit_positives(
    counts: list[int], *, max_masks: int, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Choose at random at most `max_masks` positive anchors an image, with weights that make up for the rest.

    Args:
        counts: positive anchors of each image.
        max_masks: the most masks of one image.
        device: of the result.

    Returns:
        [P'] kept ones of all images' positive anchors, ascending, and [P'] their weights.
    """
    kept, weights, start = [], [], 0
    for count in counts:
        own = torch.arange(count, device=device)
        if count > max_masks:
            own = torch.randperm(count, device=device)[:max_masks].sort().values
        kept.append(start + own)
        weights.append(torch.full((len(own),), count / max(len(own), 1), device=device))
        start += count
    return torch.cat(kept), torch.cat(weights)


def mask_loss(prototypes: Tensor, positives: Positives, masks: Tensor, boxes: Tensor) -> Tensor:
    """Binary cross-entropy of assembled masks cropped to their objects' boxes (YOLACT, sections 3.3 and 5).

    Each anchor's pixels are summed and divided by the area of its object's box. A pixel of the object outside
    of the crop, where the mask is exactly 0, costs the limit of 100.

    Args:
        prototypes: [B, K, h, w] float32 or float64.
        positives: see there, of the same type.
        masks: [N, h, w] bool of all images' objects, or float in 0..1.
        boxes: [N, 4] in prototype pixels.

    Returns:
        the weighted sum over the positive anchors.
    """
    order = positives.objects.argsort(stable=True)
    coefficients, weights = positives.coefficients[order], positives.weights[order]
    objects = positives.objects[order]
    crops = _crops(objects, positives.image[order], boxes, (masks.shape[1], masks.shape[2]))
    weights = (weights / box_area(boxes)[objects]).to(coefficients)
    return _CroppedCrossEntropy.apply(prototypes, coefficients, masks, weights, crops)


def mask_iou_loss(
    mask_iou: nn.Module,
    prototypes: Tensor,
    positives: Positives,
    masks: Tensor,
    boxes: Tensor,
    labels: Tensor,
    *,
    min_area: float,
) -> Tensor:
    """Smooth L1 between the predicted and the true IoU of assembled masks (YOLACT++, section 6.1).

    Args:
        mask_iou: [P, 1, h, w] soft masks to [P, C] IoUs. It is called even if no mask is left, so that its
            parameters always have a gradient.
        prototypes: as in `mask_loss`.
        positives: as in `mask_loss`.
        masks: as in `mask_loss`.
        boxes: as in `mask_loss`.
        labels: [N] int64, 0-based.
        min_area: masks of at most so many prototype pixels are left out.

    Returns:
        the sum over the anchors that are left.
    """
    masks = masks > 0.5
    large = masks.flatten(1).sum(1) > min_area
    rows = large[positives.objects].nonzero()[:, 0]
    objects = positives.objects[rows]
    soft = soft_masks(prototypes, positives.coefficients[rows], positives.image[rows], boxes[objects])
    with torch.no_grad():
        binary, truth = soft > 0.5, masks[objects]
        intersection = (binary & truth).flatten(1).sum(1)
        iou = intersection / (binary | truth).flatten(1).sum(1)
    predicted = mask_iou(soft[:, None].to(next(mask_iou.parameters()).dtype))
    predicted = at_least_float32(predicted).gather(1, labels[objects][:, None])[:, 0]
    return F.smooth_l1_loss(predicted, iou, reduction="sum")


def soft_masks(prototypes: Tensor, coefficients: Tensor, image: Tensor, boxes: Tensor) -> Tensor:
    """Assembled masks in 0..1, cropped.

    Args:
        prototypes: [B, K, h, w].
        coefficients: [P, K], ordered by image.
        image: [P] int64.
        boxes: [P, 4] in prototype pixels.

    Returns:
        [P, h, w].
    """
    counts = (image == torch.arange(len(prototypes), device=image.device)[:, None]).sum(1).tolist()
    logits = [assemble_masks(*pair) for pair in zip(prototypes, coefficients.split(counts), strict=True)]
    return crop_masks(torch.cat(logits).sigmoid(), boxes)


class _Crop(NamedTuple):
    """The positive anchors of one object, which share their pixels."""

    image: int
    row: int  # of the object
    anchors: slice
    window: tuple[slice, slice]


def _crops(objects: Tensor, image: Tensor, boxes: Tensor, size: tuple[int, int]) -> list[_Crop]:
    """One crop for each of [N] objects that has some of the [P] positive anchors, which are in its order."""
    if not len(objects):
        return []
    counts = torch.zeros_like(boxes[:, 0], dtype=torch.int64).index_add_(0, objects, torch.ones_like(objects))
    last = (counts.cumsum(0) - 1).clamp(min=0)
    windows = crop_windows(boxes, size).ceil().long()
    crops, start = [], 0
    # All that has to be known of the device, in one piece.
    table = torch.cat((torch.stack((counts, image[last]), dim=1), windows), dim=1).tolist()
    for row, (count, image_of_row, x1, y1, x2, y2) in enumerate(table):
        if count:
            anchors = slice(start, start + count)
            crops.append(_Crop(image_of_row, row, anchors, (slice(y1, y2), slice(x1, x2))))
            start += count
    return crops


class _CroppedCrossEntropy(torch.autograd.Function):
    """Weighted sum of the mask cross-entropies over the crops.

    The derivatives are small, [P, K] and [B, K, h, w], but what lies between them and the loss, [P, h, w], is
    not: so they are worked out crop by crop on the way forward, and memory never holds more than one crop.
    """

    @staticmethod
    def forward(
        ctx: Any, prototypes: Tensor, coefficients: Tensor, masks: Tensor, weights: Tensor, crops: list[_Crop]
    ) -> Tensor:
        """[B, K, h, w], [P, K], [N, h, w], [P] to a scalar."""
        losses = torch.zeros_like(weights)
        grad_prototypes, grad_coefficients = torch.zeros_like(prototypes), torch.zeros_like(coefficients)
        areas = masks.flatten(1).sum(1)
        for crop in crops:
            patch = prototypes[crop.image][(slice(None), *crop.window)]  # [K, y, x]
            pixels = patch.flatten(1)
            own = coefficients[crop.anchors]
            truth = masks[crop.row][crop.window].reshape(1, -1).to(pixels)
            logits = (own @ pixels).clamp_(-LOG_LIMIT, LOG_LIMIT)
            outside = areas[crop.row] - truth.sum()
            # softplus(x) - x t is the cross-entropy of sigmoid(x), sigmoid(x) - t its derivative.
            inside = F.softplus(logits).sum(1) - logits @ truth[0]
            losses[crop.anchors] = inside + LOG_LIMIT * outside
            slope = logits.sigmoid_().sub_(truth).mul_(weights[crop.anchors, None])
            grad_coefficients[crop.anchors] = slope @ pixels.T
            grad_prototypes[crop.image][(slice(None), *crop.window)] += (own.T @ slope).view_as(patch)
        ctx.save_for_backward(grad_prototypes, grad_coefficients)
        return torch.dot(losses, weights)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        """The derivatives of the loss, kept since `forward`, times the scalar that comes in."""
        grad_prototypes, grad_coefficients = ctx.saved_tensors
        return grad_prototypes * grad_outputs[0], grad_coefficients * grad_outputs[0], None, None, None
