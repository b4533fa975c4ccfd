"""Task-aligned assignment with soft targets."""

import torch
from torch import Tensor

from yolact_pl.decoders.decoder import Decoder
from yolact_pl.geometry.boxes import box_iou
from yolact_pl.losses.assigners.assigner import BACKGROUND, NEUTRAL, Assignment
from yolact_pl.losses.assigners.points import contains
from yolact_pl.losses.transfer import to_device
from yolact_pl.structures import Predictions, Targets


class TaskAlignedAssigner:
    """Each object takes the anchors that predict it best, by class and by box (TOOD, section 3.2).

    The alignment of an anchor with an object is score ** alpha * IoU ** beta, of its predicted score for the
    object's class and of its predicted box. Of the anchors whose centres lie in the object's box the `topk`
    best aligned are positive. An anchor that several objects take goes to the one of highest IoU, of equal
    ones to the first. The weight of a positive anchor is its alignment, scaled so that the best of an object
    has the object's highest IoU: the class target is soft, and boxes and masks are weighted alike.

    A crowd region makes the anchors in it neutral that are not positive.

    A GPU is never waited for: every object has `topk` slots, and those without an anchor have weight 0.

    Args:
        decoder: of the network's class logits and box deltas.
        topk: anchors per object at most.
        alpha: see above.
        beta: see above.
    """

    def __init__(self, decoder: Decoder, *, topk: int = 10, alpha: float = 0.5, beta: float = 6.0) -> None:
        if topk < 1:
            raise ValueError(f"assigner.topk={topk}: expected at least 1 anchor per object")
        self.decoder = decoder
        self.topk = topk
        self.alpha = alpha
        self.beta = beta

    @torch.no_grad()
    def __call__(self, predictions: Predictions, targets: Targets) -> Assignment:
        """See `Assigner`."""
        logits, anchors = predictions.class_logits, predictions.anchors
        device, (num_images, num_anchors) = logits.device, logits.shape[:2]
        is_object = ~targets.iscrowd
        rows = is_object.nonzero()[:, 0]
        counts = targets.image[rows].bincount(minlength=num_images).tolist()
        topk = min(self.topk, num_anchors)
        rows, image, labels = to_device(
            torch.stack((rows, targets.image[rows], targets.labels[rows])), device
        ).unbind()
        boxes = to_device(targets.boxes[is_object].float(), device)

        found = [
            self._best_anchors(predictions, index, own_boxes, own_labels, topk)
            for index, (own_boxes, own_labels) in enumerate(
                zip(boxes.split(counts), labels.split(counts), strict=True)
            )
        ]
        alignment, anchor, iou = (torch.cat(parts) for parts in zip(*found, strict=True))  # [N, topk]
        cell = image[:, None] * num_anchors + anchor
        kept = (alignment > 0) & _is_held(cell, iou.masked_fill(alignment <= 0, -1), num_images * num_anchors)
        alignment, iou = alignment * kept, iou * kept
        highest = alignment.amax(1, keepdim=True)
        weights = torch.where(highest > 0, alignment / highest, 0.0) * iou.amax(1, keepdim=True)

        positive = torch.where(kept, labels[:, None] + 1, BACKGROUND)
        of_anchors = torch.full((num_images * num_anchors,), BACKGROUND, device=device)
        of_anchors.scatter_reduce_(0, cell.flatten(), positive.flatten(), "amax")
        of_anchors = of_anchors.view(num_images, num_anchors)
        if not is_object.all():
            covered = self._in_crowds(targets, anchors, num_images)
            of_anchors = torch.where(covered & (of_anchors == BACKGROUND), NEUTRAL, of_anchors)
        return Assignment(
            labels=of_anchors,
            image=image.repeat_interleave(topk),
            anchor=anchor.flatten(),
            objects=rows.repeat_interleave(topk),
            weights=weights.flatten(),
            counts=[topk * count for count in counts],
        )

    def _best_anchors(
        self, predictions: Predictions, image: int, boxes: Tensor, labels: Tensor, topk: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Alignment, anchor and IoU [n, topk] for the n objects of an image; alignment -1 beside the box."""
        anchors = predictions.anchors
        scores = self.decoder.scores(predictions.class_logits[image][:, labels])  # [A, n]
        predicted = self.decoder.decode(predictions.box_deltas[image].float(), anchors)
        iou = box_iou(boxes, predicted).nan_to_num(nan=0.0)
        alignment = (scores.T**self.alpha * iou**self.beta).nan_to_num(nan=0.0)
        alignment = alignment.masked_fill(~contains(boxes, anchors), -1.0)
        best, anchor = alignment.topk(topk, dim=1)
        return best, anchor, iou.gather(1, anchor)

    def _in_crowds(self, targets: Targets, anchors: Tensor, num_images: int) -> Tensor:
        """[B, A] bool: anchors whose centres lie in a crowd region of their image."""
        image = to_device(targets.image[targets.iscrowd], anchors.device)
        regions = to_device(targets.boxes[targets.iscrowd].float(), anchors.device)
        inside = contains(regions, anchors, min_side=0.0).int()
        return (
            torch.zeros(num_images, len(anchors), dtype=torch.int, device=anchors.device)
            .index_add_(0, image, inside)
            .bool()
        )


def _is_held(cell: Tensor, iou: Tensor, num_cells: int) -> Tensor:
    """Whether a slot's object holds its anchor: by the highest IoU of all slots there, then by the first row.

    Args:
        cell: [N, k] int64, the anchor of each slot, counted over all images.
        iou: [N, k].
        num_cells: anchors of all images.
    """
    flat = cell.flatten()
    highest = iou.new_full((num_cells,), -1.0).scatter_reduce_(0, flat, iou.flatten(), "amax")
    row = torch.arange(len(cell), device=cell.device)[:, None].expand_as(cell)
    wins = iou == highest[cell]
    claimed = torch.where(wins, row, len(cell))
    first = claimed.new_full((num_cells,), len(cell)).scatter_reduce_(0, flat, claimed.flatten(), "amin")
    return wins & (first[cell] == row)
