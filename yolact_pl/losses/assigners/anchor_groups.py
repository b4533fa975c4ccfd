"""Sparse IoUs between objects and anchors."""

from typing import NamedTuple

import torch
from torch import Tensor

from yolact_pl.geometry.boxes import box_area

GROUP_SIZE = 64
GUESSES = 8  # groups per object that are computed first
BOUNDS_AT_ONCE = 2**16  # (object, group) pairs; if all of them had to be computed, some 50 MiB


class AnchorGroups(NamedTuple):
    """Anchors, on the CPU; and in groups of 64 that follow one another, with the limits of each group."""

    anchors: Tensor
    """[A, 4] float32 xyxy."""
    coordinates: Tensor
    """[G, 4, 64]: all x1, y1, x2, y2 of a group; the last group is filled up with its last anchor."""
    low: Tensor
    """[2, G]: the smallest x1 and y1."""
    high: Tensor
    """[2, G]: the largest x2 and y2."""
    sides: Tensor
    """[2, G]: the largest width and height."""
    smallest: Tensor
    """[G]: area."""
    largest: Tensor
    """[G]: area."""


class Pairs(NamedTuple):
    """Objects and anchors that overlap."""

    objects: Tensor
    """[M] int64."""
    anchor: Tensor
    """[M] int64."""
    iou: Tensor
    """[M]."""


def group_anchors(anchors: Tensor) -> AnchorGroups:
    """[A, 4] xyxy on any device; those of a GPU are waited for."""
    boxes = anchors.detach().float().cpu()
    padding = boxes[-1:].expand(-len(boxes) % GROUP_SIZE, 4)
    groups = torch.cat((boxes, padding)).view(-1, GROUP_SIZE, 4)
    sides = groups[..., 2:] - groups[..., :2]
    area = sides.prod(2)
    return AnchorGroups(
        anchors=boxes,
        coordinates=groups.movedim(2, 1).contiguous(),
        low=groups[..., :2].amin(1).T.contiguous(),
        high=groups[..., 2:].amax(1).T.contiguous(),
        sides=sides.amax(1).T.contiguous(),
        smallest=area.amin(1),
        largest=area.amax(1),
    )


def overlapping_pairs(boxes: Tensor, groups: AnchorGroups, *, min_iou: float) -> tuple[Pairs, Pairs]:
    """The pairs whose IoU reaches `min_iou`, and the best anchor of each box, whatever its IoU.

    The table of all IoUs is large: a million for 50 objects and 19,248 anchors. Only groups that can hold
    such a pair, or a better anchor than the best so far, are computed: about 5 %.

    Args:
        boxes: [N, 4] xyxy float32.
        groups: of the anchors.
        min_iou: see above.

    Returns:
        pairs in no order; N pairs in the order of the boxes, with the first of equally good anchors.
    """
    at_once = max(1, BOUNDS_AT_ONCE // len(groups.smallest))
    found, best = [], []
    for start, part in zip(range(0, max(1, len(boxes)), at_once), boxes.split(at_once), strict=True):
        for pairs, parts in zip(_overlapping_pairs(part, groups, min_iou), (found, best), strict=True):
            parts.append(pairs._replace(objects=pairs.objects + start))
    return _joined(found), _joined(best)


def pairwise_iou(boxes: Tensor, coordinates: Tensor) -> Tensor:
    """`geometry.boxes.box_iou`, several times faster for contiguous coordinates.

    Args:
        boxes: [..., 1, 4].
        coordinates: [..., 4, M].

    Returns:
        [..., M].
    """
    left, top, right, bottom = boxes.unbind(-1)
    x1, y1, x2, y2 = coordinates.unbind(-2)
    width = torch.minimum(right, x2).sub_(torch.maximum(left, x1)).clamp_(min=0)
    height = torch.minimum(bottom, y2).sub_(torch.maximum(top, y1)).clamp_(min=0)
    intersection = width.mul_(height)
    union = ((x2 - x1).mul_(y2 - y1) + box_area(boxes)).sub_(intersection)
    return intersection.div_(union)


def iou_bounds(boxes: Tensor, groups: AnchorGroups) -> Tensor:
    """Upper bound of the IoU of a box with any anchor of a group: [N, 4] to [N, G]."""
    low, high = boxes.T[:2, :, None], boxes.T[2:, :, None]
    sides = torch.minimum(high, groups.high[:, None]).sub_(torch.maximum(low, groups.low[:, None]))
    width, height = torch.minimum(sides.clamp_(min=0), groups.sides[:, None])
    intersection = torch.minimum(width.mul_(height), groups.largest)
    # With this intersection the union is that of an anchor inside of the box, or else as large as it must be.
    area = box_area(boxes)[:, None]
    bound = intersection / torch.maximum(area, area + groups.smallest - intersection)
    return bound.mul_(1 + 1e-5)  # so that rounding loses no pair


def _overlapping_pairs(boxes: Tensor, groups: AnchorGroups, min_iou: float) -> tuple[Pairs, Pairs]:
    bounds = iou_bounds(boxes, groups)
    guesses = bounds.topk(min(GUESSES, bounds.shape[1]), dim=1, sorted=False).indices
    reached = pairwise_iou(boxes[:, None, None], groups.coordinates[guesses]).amax((1, 2))
    objects, group = (bounds >= reached.clamp(max=min_iou)[:, None]).nonzero(as_tuple=True)
    iou = pairwise_iou(boxes[objects, None], groups.coordinates[group])  # [pairs, 64]
    of_group = torch.full_like(bounds, -1.0)
    of_group[objects, group] = iou.amax(1)
    best_group = of_group.argmax(1)
    best_iou, place = pairwise_iou(boxes[:, None], groups.coordinates[best_group]).max(1)
    best = Pairs(torch.arange(len(boxes)), best_group * GROUP_SIZE + place, best_iou)
    row, place = (iou >= min_iou).nonzero(as_tuple=True)
    found = Pairs(objects[row], group[row] * GROUP_SIZE + place, iou[row, place])
    real = found.anchor < len(groups.anchors)
    return Pairs(*(part[real] for part in found)), best


def _joined(parts: list[Pairs]) -> Pairs:
    return Pairs(*map(torch.cat, zip(*parts, strict=True)))
