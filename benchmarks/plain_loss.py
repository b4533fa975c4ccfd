"""The published loss as directly as it can be written: what `losses` is measured against.

Images and forced objects one by one in Python, tables of IoUs and scores in full, masks as float maps at full
size. The values are those of `YolactLoss`; how they are come by is what differs.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from yolact_pl.decoders.anchor_decoder import AnchorDecoder
from yolact_pl.geometry.boxes import box_area, box_intersection, box_iou
from yolact_pl.geometry.masks import crop_masks
from yolact_pl.losses.yolact_loss import YolactLoss
from yolact_pl.structures import Predictions, Target


def plain_match(anchors: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """Labels [A] (-1 neutral, 0 background, 1 + label) and rows [A] of the objects, of one image."""
    objects = (~target["iscrowd"]).nonzero()[:, 0]
    if not len(objects):
        labels = torch.zeros(len(anchors), dtype=torch.int64, device=anchors.device)
        return _without_crowds(labels, anchors, target), labels.clone()
    table = box_iou(target["boxes"][objects], anchors)  # [N, A]
    iou, rows = table.max(0)
    for _ in range(len(objects)):
        best, anchor_of = table.max(1)
        row = best.argmax()
        anchor = anchor_of[row]
        iou[anchor], rows[anchor] = 2.0, row
        table[row] = -1.0
        table[:, anchor] = -1.0
    labels = target["labels"][objects[rows]] + 1
    labels[iou < 0.5] = -1
    labels[iou < 0.4] = 0
    return _without_crowds(labels, anchors, target), objects[rows]


def _without_crowds(labels: Tensor, anchors: Tensor, target: Target) -> Tensor:
    crowds = target["boxes"][target["iscrowd"]]
    if len(crowds):
        covered = (box_intersection(crowds, anchors) / box_area(anchors)).amax(0)
        labels[(covered > 0.7) & (labels <= 0)] = -1
    return labels


def plain_loss(predictions: Predictions, targets: list[Target], loss: YolactLoss) -> dict[str, Tensor]:
    """The terms of `loss(predictions, targets)`.

    Args:
        predictions: of B images.
        targets: of the same images, with float masks [N, H, W].
        loss: whose weights and largest number of masks are used; its classification is hard negatives 3:1.
    """
    own: Any = loss.terms
    matches = [plain_match(predictions.anchors, target) for target in targets]
    labels = torch.stack([labels for labels, _ in matches])  # [B, A]
    rows = torch.stack([rows for _, rows in matches])
    positive = labels > 0
    boxes = torch.stack(
        [target["boxes"][row] for target, row in zip(targets, rows, strict=True)]
    )  # [B, A, 4]
    truth = torch.stack([AnchorDecoder().encode(rows, predictions.anchors) for rows in boxes])
    sums = {
        "box": F.smooth_l1_loss(predictions.box_deltas[positive], truth[positive], reduction="sum"),
        "class": _class_loss(predictions.class_logits, labels),
        "mask": _mask_loss(predictions, targets, positive, rows, own["mask"].max_masks),
    }
    num_positives = positive.sum().clamp(min=1)
    terms = {name: own[name].weight * total / num_positives for name, total in sums.items()}
    assert predictions.semantic_logits is not None
    total = _semantic_loss(predictions.semantic_logits, targets)
    return {**terms, "semantic": own["semantic"].weight * total / len(targets)}


def _class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the positive anchors and the three times as many background ones that cost most."""
    rows = logits.reshape(-1, logits.shape[-1])
    largest = rows.detach().max()
    log_sums = (rows - largest).exp().sum(1).log() + largest
    costs = (log_sums - rows[:, 0]).view_as(labels)
    positive = labels > 0
    costs = costs.masked_fill(labels != 0, 0)
    _, order = costs.sort(1, descending=True)
    _, rank = order.sort(1)
    negative = (rank < (3 * positive.sum(1)).clamp(max=labels.shape[1] - 1)[:, None]) & (labels == 0)
    chosen = positive | negative
    return F.cross_entropy(logits[chosen], labels[chosen], reduction="sum")


def _mask_loss(
    predictions: Predictions, targets: list[Target], positive: Tensor, rows: Tensor, max_masks: int
) -> Tensor:
    total = predictions.prototypes.new_zeros(())
    h, w = predictions.prototypes.shape[-2:]
    height, width = predictions.image_size
    for image, target in enumerate(targets):
        masks = F.interpolate(target["masks"][None], (h, w), mode="bilinear", align_corners=False)[0]
        masks = (masks > 0.5).float().permute(1, 2, 0).contiguous()  # [h, w, N]
        chosen = positive[image].nonzero()[:, 0]
        num_positives = len(chosen)
        if num_positives > max_masks:
            chosen = chosen[torch.randperm(num_positives)[:max_masks]]
        if num_positives == 0:
            continue
        own = rows[image, chosen]
        boxes = target["boxes"][own] * torch.tensor([w / width, h / height] * 2).to(masks)
        prototypes = predictions.prototypes[image].permute(1, 2, 0).contiguous()
        soft = (prototypes @ predictions.coefficients[image, chosen].T).sigmoid()  # [h, w, P]
        soft = crop_masks(soft.permute(2, 0, 1), boxes).permute(1, 2, 0)
        costs = F.binary_cross_entropy(soft.clamp(0, 1), masks[:, :, own], reduction="none").sum((0, 1))
        total = total + (costs / box_area(boxes)).sum() * num_positives / len(chosen)
    return total


def _semantic_loss(logits: Tensor, targets: list[Target]) -> Tensor:
    total = logits.new_zeros(())
    for image, target in enumerate(targets):
        size = logits.shape[-2:]
        masks = F.interpolate(target["masks"][None], size, mode="bilinear", align_corners=False)[0] > 0.5
        truth = torch.zeros_like(logits[image])
        for mask, label, crowd in zip(masks, target["labels"], target["iscrowd"], strict=True):
            if not crowd:
                truth[label] = torch.maximum(truth[label], mask.float())
        total = total + F.binary_cross_entropy_with_logits(logits[image], truth, reduction="sum")
    return total / (logits.shape[2] * logits.shape[3])
