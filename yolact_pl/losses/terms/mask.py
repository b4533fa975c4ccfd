"""Losses of the assembled masks, and of the network that predicts how good they are."""

from itertools import accumulate
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.geometry.boxes import box_area
from yolact_pl.geometry.masks import assemble_masks, crop_masks, crop_windows
from yolact_pl.losses.precision import at_least_float32
from yolact_pl.losses.transfer import to_device

PIXELS_AT_ONCE = 1 << 22  # of masks of a GPU: some 16 MiB for each step between them and the loss
LOG_LIMIT = 100.0  # no pixel costs more: logarithms end here, as in F.binary_cross_entropy


class Positives(NamedTuple):
    """The positive anchors whose masks are learned, in the order of images and anchors."""

    coefficients: Tensor
    """[P, K], where the prototypes are; the other tensors are on the CPU."""
    image: Tensor
    """[P] int64, ascending."""
    objects: Tensor
    """[P] int64: row of `masks` and `boxes` below."""
    weights: Tensor
    """[P]: how many anchors each one stands for."""


def limit_positives(counts: list[int], *, max_masks: int) -> tuple[Tensor, Tensor]:
    """Choose at random at most `max_masks` positive anchors an image, with weights that make up for the rest.

    Args:
        counts: positive anchors of each image.
        max_masks: the most masks of one image.

    Returns:
        [P'] kept ones of all images' positive anchors, ascending, and [P'] their weights.
    """
    kept, weights, start = [], [], 0
    for count in counts:
        own = torch.arange(count)
        if count > max_masks:
            own = torch.randperm(count)[:max_masks].sort().values
        kept.append(start + own)
        weights.append(torch.full((len(own),), count / max(len(own), 1)))
        start += count
    return torch.cat(kept), torch.cat(weights)


def mask_loss(prototypes: Tensor, positives: Positives, masks: Tensor, boxes: Tensor) -> Tensor:
    """Binary cross-entropy of assembled masks cropped to their objects' boxes (YOLACT, sections 3.3 and 5).

    Each anchor's pixels are summed and divided by the area of its object's box. A pixel of the object outside
    of the crop, where the mask is exactly 0, costs the limit of 100.

    Args:
        prototypes: [B, K, h, w] float32 or float64.
        positives: see there, of the same type.
        masks: [N, h, w] bool of all images' objects, or float in 0..1, where the prototypes are.
        boxes: [N, 4] in prototype pixels, on the CPU.

    Returns:
        the weighted sum over the positive anchors.
    """
    windows = crop_windows(boxes, (masks.shape[1], masks.shape[2])).ceil().long()
    weights = (positives.weights / box_area(boxes)[positives.objects]).to(prototypes.dtype)
    weights = to_device(weights, prototypes.device)
    return _CroppedCrossEntropy.apply(prototypes, positives.coefficients, positives, masks, weights, windows)


def mask_iou_loss(
    mask_iou: nn.Module,
    prototypes: Tensor,
    positives: Positives,
    masks: Tensor,
    boxes: Tensor,
    labels: Tensor,
    large: Tensor,
) -> Tensor:
    """Smooth L1 between the predicted and the true IoU of assembled masks (YOLACT++, section 6.1).

    Args:
        mask_iou: [P, 1, h, w] soft masks to [P, C] IoUs. It is called even if no mask is left, so that its
            parameters always have a gradient.
        prototypes: as in `mask_loss`.
        positives: as in `mask_loss`.
        masks: as in `mask_loss`.
        boxes: as in `mask_loss`.
        labels: [N] int64, 0-based, on the CPU.
        large: [N] bool, on the CPU: the objects that teach something.

    Returns:
        the sum over the anchors of large objects.
    """
    rows = large[positives.objects].nonzero()[:, 0]
    objects, device = positives.objects[rows], prototypes.device
    soft = soft_masks(
        prototypes,
        positives.coefficients[to_device(rows, device)],
        positives.image[rows].bincount(minlength=len(prototypes)).tolist(),
        to_device(boxes[objects], device),
    )
    with torch.no_grad():
        binary, truth = soft > 0.5, masks[to_device(objects, device)] > 0.5
        intersection = (binary & truth).flatten(1).sum(1)
        iou = intersection / (binary | truth).flatten(1).sum(1)
    predicted = mask_iou(soft[:, None].to(next(mask_iou.parameters()).dtype))
    own_class = to_device(labels[objects][:, None], device)
    return F.smooth_l1_loss(at_least_float32(predicted).gather(1, own_class)[:, 0], iou, reduction="sum")


def soft_masks(prototypes: Tensor, coefficients: Tensor, counts: list[int], boxes: Tensor) -> Tensor:
    """Assembled masks in 0..1, cropped.

    Args:
        prototypes: [B, K, h, w].
        coefficients: [P, K], ordered by image.
        counts: how many of them each image has.
        boxes: [P, 4] in prototype pixels.

    Returns:
        [P, h, w].
    """
    logits = [assemble_masks(*pair) for pair in zip(prototypes, coefficients.split(counts), strict=True)]
    return crop_masks(torch.cat(logits).sigmoid(), boxes)


class MaskTerms(NamedTuple):
    """The mask loss and its derivatives."""

    losses: Tensor
    """[P], not weighted."""
    grad_prototypes: Tensor
    """[B, K, h, w] of the weighted sum."""
    grad_coefficients: Tensor
    """[P, K] of the weighted sum."""

    @classmethod
    def zeros(cls, prototypes: Tensor, coefficients: Tensor) -> "MaskTerms":
        """To add to."""
        losses = torch.zeros_like(coefficients[:, 0])
        return cls(losses, torch.zeros_like(prototypes), torch.zeros_like(coefficients))


def terms_by_object(
    prototypes: Tensor, positives: Positives, masks: Tensor, weights: Tensor, windows: Tensor
) -> MaskTerms:
    """Object by object, all of whose anchors share their pixels: as little arithmetic as there can be.

    Args:
        prototypes: as in `mask_loss`.
        positives: as in `mask_loss`.
        masks: as in `mask_loss`.
        weights: [P] of the losses, where the prototypes are.
        windows: [N, 4] int64 xyxy of the crops, on the CPU: pixel i is inside if start <= i < end.
    """
    order = positives.objects.argsort(stable=True)
    coefficients, weights = positives.coefficients[order], weights[order]
    terms = MaskTerms.zeros(prototypes, coefficients)
    areas = masks.flatten(1).sum(1)
    counts = positives.objects.bincount(minlength=len(masks)).tolist()
    images = positives.image[order].tolist()
    for row, (anchors, (x1, y1, x2, y2)) in enumerate(zip(slices(counts), windows.tolist(), strict=True)):
        if anchors.start == anchors.stop:
            continue
        image, window = images[anchors.start], (slice(y1, y2), slice(x1, x2))
        patch = prototypes[image][(slice(None), *window)]  # [K, y, x]
        pixels = patch.flatten(1)
        own = coefficients[anchors]
        truth = masks[row][window].reshape(1, -1).to(pixels)
        logits = (own @ pixels).clamp_(-LOG_LIMIT, LOG_LIMIT)
        outside = areas[row] - truth.sum()
        # softplus(x) - x t is the cross-entropy of sigmoid(x), sigmoid(x) - t its derivative.
        terms.losses[anchors] = F.softplus(logits).sum(1) - logits @ truth[0] + LOG_LIMIT * outside
        slope = logits.sigmoid_().sub_(truth).mul_(weights[anchors, None])
        terms.grad_coefficients[anchors] = slope @ pixels.T
        terms.grad_prototypes[image][(slice(None), *window)] += (own.T @ slope).view_as(patch)
    back = order.argsort()
    return MaskTerms(terms.losses[back], terms.grad_prototypes, terms.grad_coefficients[back])


def terms_by_image(
    prototypes: Tensor, positives: Positives, masks: Tensor, weights: Tensor, windows: Tensor
) -> MaskTerms:
    """Image by image, over whole maps: ten times fewer steps, which is what takes a GPU's time.

    Arguments as of `terms_by_object`. Memory holds no more than `PIXELS_AT_ONCE` pixels of masks.
    """
    terms = MaskTerms.zeros(prototypes, positives.coefficients)
    h, w = masks.shape[1:]
    device = prototypes.device
    objects = to_device(positives.objects, device)
    left, top, right, bottom = to_device(windows[positives.objects].T.contiguous(), device)[..., None]
    columns, rows = torch.arange(w, device=device), torch.arange(h, device=device)
    inside_x, inside_y = (columns >= left) & (columns < right), (rows >= top) & (rows < bottom)
    counts = positives.image.bincount(minlength=len(prototypes)).tolist()
    at_once = max(1, PIXELS_AT_ONCE // (h * w))
    for image, own in enumerate(slices(counts)):
        pixels, grad_pixels = prototypes[image].flatten(1), terms.grad_prototypes[image].view(-1, h * w)
        for start in range(own.start, own.stop, at_once):
            anchors = slice(start, min(start + at_once, own.stop))
            inside = (inside_y[anchors, :, None] & inside_x[anchors, None]).flatten(1)  # [p, h w]
            truth = masks[objects[anchors]].flatten(1).to(pixels)
            logits = (positives.coefficients[anchors] @ pixels).clamp_(-LOG_LIMIT, LOG_LIMIT)
            losses = torch.where(inside, F.softplus(logits) - logits * truth, LOG_LIMIT * truth)
            terms.losses[anchors] = losses.sum(1)
            slope = logits.sigmoid_().sub_(truth).mul_(inside).mul_(weights[anchors, None])
            terms.grad_coefficients[anchors] = slope @ pixels.T
            grad_pixels.addmm_(positives.coefficients[anchors].T, slope)
    return terms


class _CroppedCrossEntropy(torch.autograd.Function):
    """Weighted sum of the mask cross-entropies over the crops.

    The derivatives are small, [P, K] and [B, K, h, w], but what lies between them and the loss, [P, h, w], is
    not: so they are worked out part by part on the way forward, and memory never holds more than one part.
    """

    @staticmethod
    def forward(
        ctx: Any,
        prototypes: Tensor,
        coefficients: Tensor,
        positives: Positives,
        masks: Tensor,
        weights: Tensor,
        windows: Tensor,
    ) -> Tensor:
        """[B, K, h, w], [P, K] and what `terms_by_object` is given to a scalar."""
        compute = terms_by_object if prototypes.is_cpu else terms_by_image
        terms = compute(prototypes, positives._replace(coefficients=coefficients), masks, weights, windows)
        ctx.save_for_backward(terms.grad_prototypes, terms.grad_coefficients)
        return torch.dot(terms.losses, weights)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        """The derivatives of the loss, kept since `forward`, times the scalar that comes in."""
        return (*(gradient * grad_outputs[0] for gradient in ctx.saved_tensors), None, None, None, None)


def slices(lengths: list[int]) -> list[slice]:
    """Where parts of such lengths lie, one after the other."""
    return [slice(stop - length, stop) for length, stop in zip(lengths, accumulate(lengths), strict=True)]
