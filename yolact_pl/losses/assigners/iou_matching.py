"""Matching of anchors and objects by IoU."""

import torch
from torch import Tensor

from yolact_pl.geometry.boxes import box_area, box_intersection
from yolact_pl.losses.assigners.anchor_groups import AnchorGroups, Pairs, overlapping_pairs, pairwise_iou
from yolact_pl.losses.assigners.assigner import BACKGROUND, NEUTRAL, Assignment
from yolact_pl.structures import Targets

REFUSED_AT_ONCE = 64  # objects that look at all anchors, which bounds the memory


@torch.no_grad()
def match_anchors(
    groups: AnchorGroups, targets: Targets, *, positive_iou: float, negative_iou: float, crowd_iou: float
) -> Assignment:
    """The assignment of `IouAssigner`, whose arguments are explained there; all on the CPU.

    Raises:
        ValueError: an image has more objects than there are anchors.
    """
    num_images, num_anchors = len(targets), len(groups.anchors)
    rows = (~targets.iscrowd).nonzero()[:, 0]
    boxes, image = targets.boxes[rows].float(), targets.image[rows]
    _check_counts(image.bincount(minlength=num_images).tolist(), targets.image_ids, num_anchors)

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

    labels = torch.full((num_images, num_anchors), BACKGROUND)
    labels.view(-1)[cells[iou >= negative_iou]] = NEUTRAL
    labels.view(-1)[positive] = targets.labels[objects] + 1
    for index in targets.image[targets.iscrowd].unique().tolist():
        regions = targets.boxes[targets.iscrowd & (targets.image == index)].float()
        covered = (box_intersection(regions, groups.anchors) / box_area(groups.anchors)).amax(0) > crowd_iou
        labels[index].masked_fill_(covered & (labels[index] <= BACKGROUND), NEUTRAL)
    image, anchor = positive // num_anchors, positive % num_anchors
    counts = image.bincount(minlength=num_images).tolist()
    return Assignment(labels, image, anchor, objects, torch.ones(len(positive)), counts)


def force_anchors(boxes: Tensor, image: Tensor, groups: AnchorGroups, best: Pairs) -> Tensor:
    """One anchor for each object, in the order of IoU, no anchor twice per image.

    The published procedure takes the best pair of the objects and anchors that are left, again and again. The
    same pairs come out, in fewer and parallel steps, if every object asks for its best anchor, each anchor
    keeps the best of those that ask, and the refused ask for the best anchor that would not refuse them (Gale
    and Shapley, 1962, where both sides rank by IoU; the order of asking does not matter). Mostly nobody is
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


def _check_counts(counts: list[int], image_ids: list[int], num_anchors: int) -> None:
    for image_id, count in zip(image_ids, counts, strict=True):
        if count > num_anchors:
            raise ValueError(
                f"image {image_id} has {count} objects but the network only {num_anchors} "
                "anchors, and every object needs one: use a larger image_size"
            )
