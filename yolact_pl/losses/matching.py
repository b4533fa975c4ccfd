"""Which anchor is asked to find which object."""

from itertools import accumulate, chain
from typing import NamedTuple

import torch
from torch import Tensor

from yolact_pl.geometry.boxes import box_area, box_intersection
from yolact_pl.structures import Target

NEUTRAL, BACKGROUND = -1, 0
ANCHORS_PER_GROUP = 64
PAIRS_PER_BLOCK = 2**18  # so many (object, anchor) pairs at a time stay in a processor's cache


class Matches(NamedTuple):
    """What every anchor of a batch is asked for."""

    labels: Tensor
    """[B, A] int64: -1 neutral, 0 background, otherwise 1 + the object's label: such anchors are positive."""
    image: Tensor
    """[P] int64: the image of each positive anchor, ascending."""
    anchor: Tensor
    """[P] int64: which anchor it is, ascending within its image."""
    objects: Tensor
    """[P] int64: its object's row in the joined rows of all targets."""
    counts: list[int]
    """Positive anchors of each image, so that the device need not be asked for them again."""


@torch.no_grad()
def match_anchors(
    anchors: Tensor,
    targets: list[Target],
    *,
    positive_iou: float = 0.5,
    negative_iou: float = 0.4,
    crowd_iou: float = 0.7,
) -> Matches:
    """Give each anchor of each image an object, the background, or nothing to learn.

    An anchor is positive if its best IoU reaches `positive_iou`, background below `negative_iou`, neutral
    between. Besides, every object keeps one anchor of its own, whatever the IoU: see `force_anchors`.

    Args:
        anchors: [A, 4] xyxy.
        targets: one an image, boxes in the unit of the anchors.
        positive_iou: see above.
        negative_iou: see above.
        crowd_iou: an anchor that is not positive is neutral if a crowd region covers a larger share of it.

    Raises:
        ValueError: an image has more objects than there are anchors.
    """
    anchors = anchors.float()
    objects, crowds = _rows_by_image(targets, len(anchors))
    joined = torch.cat([target["boxes"] for target in targets]).to(anchors)
    rows = torch.tensor([*chain(*objects)], dtype=torch.int64, device=anchors.device)
    boxes, groups = joined[rows], _slices([len(own) for own in objects])
    iou, forced = _iou_by_image(boxes, groups, anchors)
    positive = iou >= positive_iou
    counts = positive.sum(1).tolist()
    image, anchor = positive.nonzero(as_tuple=True)
    matched = torch.zeros_like(image)
    for own, found in zip(groups, _slices(counts), strict=True):
        if found.start < found.stop:
            matched[found] = own.start + _pairwise_iou(boxes[own, None], anchors[anchor[found]]).argmax(0)
    forced = torch.searchsorted(image * len(anchors) + anchor, forced)
    matched[forced] = torch.arange(len(rows), device=anchors.device)
    matched = rows[matched]
    labels = torch.where(iou < negative_iou, BACKGROUND, NEUTRAL)
    labels[image, anchor] = torch.cat([target["labels"] for target in targets])[matched] + 1
    for own, regions in zip(labels, crowds, strict=True):
        if regions:
            covered = (box_intersection(joined[regions], anchors) / box_area(anchors)).amax(0) > crowd_iou
            own.masked_fill_(covered & (own <= BACKGROUND), NEUTRAL)
    return Matches(labels, image, anchor, matched, counts)


def best_iou(boxes: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The best IoUs between boxes and anchors, in bounded memory.

    Args:
        boxes: [N, 4], at least one.
        anchors: [A, 4].

    Returns:
        [A] IoU of each anchor with its best box; [N] IoU of each box with its best anchor; [N] that anchor,
        the first of equals.
    """
    # Maxima without index are many times faster on a CPU: find the group that holds it, then look inside.
    padding = anchors[-1:].expand(-len(anchors) % ANCHORS_PER_GROUP, 4)
    groups = torch.cat((anchors, padding)).view(-1, ANCHORS_PER_GROUP, 4)
    at_once = max(1, PAIRS_PER_BLOCK // ANCHORS_PER_GROUP // len(boxes))
    # The same memory for every block: fresh memory costs a CPU more than the arithmetic.
    buffers = anchors.new_empty((3, len(boxes), min(at_once, len(groups)), ANCHORS_PER_GROUP))
    of_anchors, of_groups = [], []
    for block in groups.split(at_once):
        iou = _pairwise_iou(boxes[:, None, None], block, buffers[:, :, : len(block)])  # [N, groups, anchors]
        of_anchors.append(iou.amax(0).flatten())
        of_groups.append(iou.amax(2))
    group = torch.cat(of_groups, dim=1).argmax(1)  # [N]
    object_iou, within = _pairwise_iou(boxes[:, None], groups[group]).max(1)
    return torch.cat(of_anchors)[: len(anchors)], object_iou, group * ANCHORS_PER_GROUP + within


def force_anchors(
    anchors: Tensor, boxes: Tensor, image: Tensor, *, num_images: int, iou: Tensor, anchor: Tensor
) -> Tensor:
    """One anchor for each object, given out in the order of IoU, no anchor twice in an image.

    The published procedure takes the best pair of the objects and anchors that are left, again and again. The
    same pairs come out, in fewer and parallel steps, if every object asks for its best anchor, each anchor
    keeps the best of those that ask, and the refused ask for the best anchor that would not refuse them (Gale
    and Shapley, 1962, where both sides rank by IoU). Mostly nobody is refused. Of equal IoUs the first object
    and the first anchor count.

    Args:
        anchors: [A, 4].
        boxes: [N, 4], the objects of all images, at most A an image.
        image: [N], the image of each object, ascending.
        num_images: B.
        iou: [N], of each object with its best anchor.
        anchor: [N], that anchor.

    Returns:
        [N] anchor of each object.
    """
    num_anchors, num_objects = len(anchors), len(boxes)
    own = torch.arange(num_objects, device=boxes.device)
    num_cells = num_anchors * num_images
    iou, anchor = iou.clone(), anchor.clone()
    while True:
        cell = image * num_anchors + anchor
        held = iou.new_full((num_cells,), -1.0).scatter_reduce_(0, cell, iou, "amax")
        best = torch.where(iou == held[cell], own, num_objects)
        holder = own.new_full((num_cells,), num_objects).scatter_reduce_(0, cell, best, "amin")
        refused = (holder[cell] != own).nonzero()[:, 0]
        if not len(refused):
            return anchor
        asked = _pairwise_iou(boxes[refused][:, None], anchors)  # [R, A]
        held = held.view(-1, num_anchors)[image[refused]]
        holder = holder.view(-1, num_anchors)[image[refused]]
        asked[(held > asked) | ((held == asked) & (holder < refused[:, None]))] = -1.0
        iou[refused], anchor[refused] = asked.max(1)


def _pairwise_iou(boxes: Tensor, anchors: Tensor, buffers: Tensor | None = None) -> Tensor:
    """`geometry.boxes.box_iou` several times faster: in place, so without gradients.

    Args:
        boxes: [..., 4] that broadcasts with `anchors`.
        anchors: [..., 4].
        buffers: three times the memory of the result, which is put into the first.
    """
    x1, y1, x2, y2 = anchors.movedim(-1, 0).contiguous().unbind()
    left, top, right, bottom = boxes.unbind(-1)
    width, height, edge = (None, None, None) if buffers is None else buffers
    width = torch.minimum(right, x2, out=width).sub_(torch.maximum(left, x1, out=edge)).clamp_(min=0)
    height = torch.minimum(bottom, y2, out=height).sub_(torch.maximum(top, y1, out=edge)).clamp_(min=0)
    intersection = width.mul_(height)
    union = torch.add(box_area(boxes), box_area(anchors), out=height).sub_(intersection)
    return intersection.div_(union)


def _iou_by_image(boxes: Tensor, groups: list[slice], anchors: Tensor) -> tuple[Tensor, Tensor]:
    """What every anchor and every object has best.

    Args:
        boxes: [N, 4] of the objects of all images.
        groups: those of each image.
        anchors: [A, 4].

    Returns:
        [B, A] IoU of each anchor with the best object of the image, infinite for one that an object keeps;
        [N] the anchor that each object keeps, counted over all images.
    """
    iou = anchors.new_zeros((len(groups), len(anchors)))
    object_iou, anchor = torch.empty_like(boxes[:, 0]), torch.empty_like(boxes[:, 0], dtype=torch.int64)
    image = torch.empty_like(anchor)
    for index, own in enumerate(groups):
        if own.start < own.stop:
            image[own] = index
            iou[index], object_iou[own], anchor[own] = best_iou(boxes[own], anchors)
    anchor = force_anchors(anchors, boxes, image, num_images=len(groups), iou=object_iou, anchor=anchor)
    forced = image * len(anchors) + anchor
    iou.view(-1)[forced] = torch.inf
    return iou, forced


def _rows_by_image(targets: list[Target], num_anchors: int) -> tuple[list[list[int]], list[list[int]]]:
    """Rows of the objects and of the crowd regions of each image, counted over all targets."""
    is_crowd = torch.cat([target["iscrowd"] for target in targets]).tolist()
    objects: list[list[int]] = []
    crowds: list[list[int]] = []
    for target, own in zip(targets, _slices([len(target["iscrowd"]) for target in targets]), strict=True):
        rows = range(own.start, own.stop)
        objects.append([row for row in rows if not is_crowd[row]])
        crowds.append([row for row in rows if is_crowd[row]])
        if len(objects[-1]) > num_anchors:
            raise ValueError(
                f"image {target['image_id']} has {len(objects[-1])} objects but the network only "
                f"{num_anchors} anchors, and every object needs one: use a larger image_size"
            )
    return objects, crowds


def _slices(lengths: list[int]) -> list[slice]:
    """Where parts of such lengths lie, one after the other."""
    return [slice(stop - length, stop) for length, stop in zip(lengths, accumulate(lengths), strict=True)]
