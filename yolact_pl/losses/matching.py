"""Which anchor is asked to find which object."""

from typing import NamedTuple

import torch
from torch import Tensor

from yolact_pl.geometry.boxes import box_area, box_intersection
from yolact_pl.structures import Target

NEUTRAL, BACKGROUND = -1, 0
FORCED = 2.0  # above every IoU
PAIRS_PER_BLOCK = 2**18  # so many (object, anchor) pairs at a time stay in a processor's cache


class Matches(NamedTuple):
    """What every anchor of a batch is asked for."""

    labels: Tensor
    """[B, A] int64: -1 neutral, 0 background, otherwise 1 + the object's label."""
    objects: Tensor
    """[B, A] int64: the object's row in the joined rows of all targets; means something where `labels` > 0."""


class BestPairs(NamedTuple):
    """What is kept of the IoUs between N objects and A anchors."""

    anchor_iou: Tensor
    """[A]: of each anchor with its best object."""
    anchor_object: Tensor
    """[A]: that object, the first of equals."""
    object_iou: Tensor
    """[N]: of each object with its best anchor."""
    object_anchor: Tensor
    """[N]: that anchor, the first of equals."""


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

    An anchor is positive if its best IoU reaches `positive_iou`, background below `negative_iou`, neutral between.
    Besides, every object keeps one anchor of its own, whatever the IoU: see `force_anchors`.

    Args:
        anchors: [A, 4] xyxy.
        targets: one an image, boxes in the unit of the anchors.
        positive_iou: see above.
        negative_iou: see above.
        crowd_iou: an anchor that is not positive is neutral if a crowd region covers more than this share of it.
    """
    anchors = anchors.float()
    boxes = torch.cat([target["boxes"] for target in targets]).to(anchors)
    object_labels = torch.cat([target["labels"] for target in targets])
    objects, crowds = _rows_by_image(targets, anchors.device)

    iou = anchors.new_zeros((len(targets), len(anchors)))
    matched = torch.zeros_like(iou, dtype=torch.int64)
    found: list[tuple[int, Tensor, BestPairs]] = []
    for image, rows in enumerate(objects):
        if len(rows) > len(anchors):
            raise ValueError(
                f"image {targets[image]['image_id']} has {len(rows)} objects but the network only {len(anchors)} "
                "anchors: every object needs one; use a larger image_size"
            )
        if len(rows):
            best = best_pairs(boxes[rows], anchors)
            iou[image], matched[image] = best.anchor_iou, rows[best.anchor_object]
            found.append((image, rows, best))
    labels = torch.zeros_like(matched)
    if found:
        rows = torch.cat([rows for _, rows, _ in found])
        image = torch.cat([torch.full_like(rows, image) for image, rows, _ in found])
        anchor = force_anchors(
            anchors,
            boxes[rows],
            image,
            iou=torch.cat([best.object_iou for _, _, best in found]),
            anchor=torch.cat([best.object_anchor for _, _, best in found]),
        )
        iou[image, anchor], matched[image, anchor] = FORCED, rows
        labels = torch.where(iou >= positive_iou, object_labels[matched] + 1, labels)
        labels[(iou >= negative_iou) & (iou < positive_iou)] = NEUTRAL
    for image, rows in enumerate(crowds):
        if len(rows):
            covered = (box_intersection(boxes[rows], anchors) / box_area(anchors)).amax(0) > crowd_iou
            labels[image, covered & (labels[image] <= BACKGROUND)] = NEUTRAL
    return Matches(labels, matched)


def best_pairs(boxes: Tensor, anchors: Tensor) -> BestPairs:
    """The best anchor of each of [N, 4] boxes (N > 0) and the best box of each of [A, 4] anchors, by IoU."""
    blocks = []
    order = torch.arange(len(boxes), 0, -1, device=boxes.device, dtype=boxes.dtype)[:, None]
    for block in anchors.split(max(1, PAIRS_PER_BLOCK // len(boxes))):
        iou = _pairwise_iou(boxes, block)
        anchor_iou = iou.amax(0)
        # The first row that reaches the maximum. `iou.max(0)`, which says so too, is 4 times slower on a CPU.
        first = len(boxes) - ((iou == anchor_iou) * order).amax(0)
        blocks.append((anchor_iou, first.long(), *iou.max(1)))
    anchor_iou, anchor_object, object_iou, object_anchor = zip(*blocks, strict=True)
    best_iou, best_block = torch.stack(object_iou).max(0)
    best_anchor = torch.stack(object_anchor).gather(0, best_block[None])[0] + best_block * len(anchor_iou[0])
    return BestPairs(torch.cat(anchor_iou), torch.cat(anchor_object), best_iou, best_anchor)


def force_anchors(anchors: Tensor, boxes: Tensor, image: Tensor, *, iou: Tensor, anchor: Tensor) -> Tensor:
    """One anchor for each object, given out in the order of IoU, no anchor twice in an image.

    Taking the best pair of the objects and anchors that are left, again and again, is what the procedure says. The
    same pairs come out, in fewer and parallel steps, if every object asks for its best anchor, each anchor keeps
    the best of those that ask, and the refused ask for the best anchor that would not refuse them (Gale and
    Shapley, 1962, where both sides rank by IoU). Mostly nobody is refused. Of equal IoUs the first object and the
    first anchor count.

    Args:
        anchors: [A, 4].
        boxes: [N, 4], the objects of all images, at most A an image.
        image: [N], the image of each object.
        iou: [N], of each object with its best anchor.
        anchor: [N], that anchor.

    Returns:
        [N] anchor of each object.
    """
    num_anchors, num_objects = len(anchors), len(boxes)
    own = torch.arange(num_objects, device=boxes.device)
    num_cells = num_anchors * (int(image[-1]) + 1)
    iou, anchor = iou.clone(), anchor.clone()
    while True:
        cell = image * num_anchors + anchor
        held_iou = iou.new_full((num_cells,), -1.0).scatter_reduce_(0, cell, iou, "amax")
        asking = torch.where(iou == held_iou[cell], own, num_objects)
        holder = own.new_full((num_cells,), num_objects).scatter_reduce_(0, cell, asking, "amin")
        refused = (holder[cell] != own).nonzero()[:, 0]
        if not len(refused):
            return anchor
        free_iou = _pairwise_iou(boxes[refused], anchors)  # [R, A]
        held = held_iou.view(-1, num_anchors)[image[refused]]
        earlier = holder.view(-1, num_anchors)[image[refused]] < refused[:, None]
        free_iou[(held > free_iou) | ((held == free_iou) & earlier)] = -1.0
        iou[refused], anchor[refused] = free_iou.max(1)


def _pairwise_iou(boxes: Tensor, anchors: Tensor) -> Tensor:
    """`geometry.boxes.box_iou` of [N, 4] and [A, 4], without gradients: in place, so several times faster."""
    x1, y1, x2, y2 = anchors.T.contiguous().unbind()
    left, top, right, bottom = boxes[:, :, None].unbind(1)
    width = torch.minimum(right, x2).sub_(torch.maximum(left, x1)).clamp_(min=0)
    height = torch.minimum(bottom, y2).sub_(torch.maximum(top, y1)).clamp_(min=0)
    intersection = width.mul_(height)
    areas = box_area(boxes)[:, None], box_area(anchors)
    return intersection.div_(torch.add(*areas, out=height).sub_(intersection))


def _rows_by_image(targets: list[Target], device: torch.device) -> tuple[list[Tensor], list[Tensor]]:
    """Rows of the objects and of the crowd regions of each image, counted over all targets."""
    is_crowd = torch.cat([target["iscrowd"] for target in targets]).tolist()
    objects, crowds, start = [], [], 0
    for target in targets:
        own = range(start, start + len(target["labels"]))
        objects.append(
            torch.tensor([row for row in own if not is_crowd[row]], dtype=torch.int64, device=device)
        )
        crowds.append(torch.tensor([row for row in own if is_crowd[row]], dtype=torch.int64, device=device))
        start = own.stop
    return objects, crowds
