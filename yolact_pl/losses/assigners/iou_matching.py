"""Which anchor is asked to find which object.

That depends on anchors and targets alone, not on what the network says. So it is worked out on the CPU, where
the targets come from, while a GPU is busy with the network; and nothing has to be asked of the GPU.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from yolact_pl.geometry.boxes import box_area, box_intersection
from yolact_pl.losses.assigners.anchor_groups import (
    AnchorGroups,
    Pairs,
    group_anchors,
    overlapping_pairs,
    pairwise_iou,
)
from yolact_pl.losses.transfer import to_device
from yolact_pl.structures import Target

NEUTRAL, BACKGROUND = -1, 0
REFUSED_AT_ONCE = 64  # objects that look at all anchors, which bounds the memory


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
    """Positive anchors of each image, so that no device need be asked for them."""

    def to(self, device: torch.device) -> "Matches":
        """The same with its tensors on a device."""
        image, anchor, objects = to_device(torch.stack((self.image, self.anchor, self.objects)), device)
        return Matches(to_device(self.labels, device), image, anchor, objects, self.counts)


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
    between; of equal IoUs the first object counts. Besides, every object keeps one anchor of its own,
    whatever the IoU: see `force_anchors`.

    Args:
        anchors: [A, 4] xyxy.
        targets: one an image, boxes in the unit of the anchors.
        positive_iou: see above.
        negative_iou: see above.
        crowd_iou: an anchor that is not positive is neutral if a crowd region covers a larger share of it.

    Returns:
        matches on the CPU. Anchors and targets may be anywhere, but from elsewhere they must be fetched.

    Raises:
        ValueError: an image has more objects than there are anchors.
    """
    groups, num_anchors = group_anchors(anchors), len(anchors)
    joined = torch.cat([target["boxes"] for target in targets]).cpu().float()
    class_labels = torch.cat([target["labels"] for target in targets]).cpu()
    is_crowd = torch.cat([target["iscrowd"] for target in targets]).cpu()
    image_of_row = image_of_rows(targets)
    rows = (~is_crowd).nonzero()[:, 0]
    boxes, image = joined[rows], image_of_row[rows]
    _check_counts(image.bincount(minlength=len(targets)).tolist(), targets, num_anchors)

    pairs, best = overlapping_pairs(boxes, groups, min_iou=min(positive_iou, negative_iou))
    # A cell is an anchor of an image.
    cells, cell = (image[pairs.objects] * num_anchors + pairs.anchor).unique(return_inverse=True)
    iou, holder = _best_in_cell(cell, pairs, len(cells))
    forced = image * num_anchors + force_anchors(boxes, image, groups, best)
    reached = iou >= positive_iou
    positive = torch.cat((cells[reached], forced)).unique()
    objects = torch.empty_like(positive)
    objects[torch.searchsorted(positive, cells[reached])] = holder[reached]
    objects[torch.searchsorted(positive, forced)] = torch.arange(len(rows))
    objects = rows[objects]

    labels = torch.full((len(targets), num_anchors), BACKGROUND)
    labels.view(-1)[cells[iou >= negative_iou]] = NEUTRAL
    labels.view(-1)[positive] = class_labels[objects] + 1
    for index in image_of_row[is_crowd].unique().tolist():
        regions = joined[is_crowd & (image_of_row == index)]
        covered = (box_intersection(regions, groups.anchors) / box_area(groups.anchors)).amax(0) > crowd_iou
        labels[index].masked_fill_(covered & (labels[index] <= BACKGROUND), NEUTRAL)
    image, anchor = positive // num_anchors, positive % num_anchors
    return Matches(labels, image, anchor, objects, image.bincount(minlength=len(targets)).tolist())


def image_of_rows(targets: list[Target]) -> Tensor:
    """The image of each row of all targets, [N] int64 on the CPU."""
    lengths = torch.tensor([len(target["labels"]) for target in targets])
    return torch.arange(len(targets)).repeat_interleave(lengths)


def force_anchors(boxes: Tensor, image: Tensor, groups: AnchorGroups, best: Pairs) -> Tensor:
    """One anchor for each object, given out in the order of IoU, no anchor twice in an image.

    The published procedure takes the best pair of the objects and anchors that are left, again and again. The
    same pairs come out, in fewer and parallel steps, if every object asks for its best anchor, each anchor
    keeps the best of those that ask, and the refused ask for the best anchor that would not refuse them (Gale
    and Shapley, 1962, where both sides rank by IoU; who asks first does not matter). Mostly nobody is
    refused. Of equal IoUs the first object and the first anchor count.

    Args:
        boxes: [N, 4], the objects of all images, at most A an image.
        image: [N], the image of each object, ascending.
        groups: of the A anchors.
        best: N pairs, each object and its best anchor.

    Returns:
        [N] anchor of each object.
    """
    num_anchors = len(groups.anchors)
    objects, anchor, iou = best.objects, best.anchor.clone(), best.iou.clone()
    while True:
        cells, cell = (image * num_anchors + anchor).unique(return_inverse=True)
        if len(cells) == len(objects):
            return anchor
        held, holder = _best_in_cell(cell, Pairs(objects, anchor, iou), len(cells))
        refused = (holder[cell] != objects).nonzero()[:REFUSED_AT_ONCE, 0]
        asked = pairwise_iou(boxes[refused, None, None], groups.coordinates).flatten(1)[:, :num_anchors]
        row, other = (image[refused, None] == cells // num_anchors).nonzero(as_tuple=True)
        taken, held, holder = cells[other] % num_anchors, held[other], holder[other]
        offer = asked[row, taken]
        loses = (held > offer) | ((held == offer) & (holder < refused[row]))
        asked[row[loses], taken[loses]] = -1.0
        iou[refused], anchor[refused] = asked.max(1)


def _best_in_cell(cell: Tensor, pairs: Pairs, num_cells: int) -> tuple[Tensor, Tensor]:
    """The best IoU in each cell, and the first object that has it.

    Args:
        cell: [M], of each pair.
        pairs: M of them.
        num_cells: each with one pair or more.
    """
    best = pairs.iou.new_zeros(num_cells).scatter_reduce_(0, cell, pairs.iou, "amax")
    first = torch.where(pairs.iou == best[cell], pairs.objects, torch.iinfo(torch.int64).max)
    return best, cell.new_zeros(num_cells).scatter_reduce_(0, cell, first, "amin", include_self=False)


def _check_counts(counts: list[int], targets: list[Target], num_anchors: int) -> None:
    for target, count in zip(targets, counts, strict=True):
        if count > num_anchors:
            raise ValueError(
                f"image {target['image_id']} has {count} objects but the network only {num_anchors} "
                "anchors, and every object needs one: use a larger image_size"
            )
