"""The loss of YOLACT and YOLACT++ as named terms."""

from typing import Literal

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.decoders.anchor_decoder import AnchorDecoder
from yolact_pl.geometry.boxes import scale_boxes
from yolact_pl.geometry.masks import resize_masks
from yolact_pl.losses.assigners.anchor_groups import group_anchors
from yolact_pl.losses.assigners.iou_matching import Matches, image_of_rows, match_anchors
from yolact_pl.losses.precision import at_least_float32
from yolact_pl.losses.terms.mask import Positives, limit_positives, mask_iou_loss, mask_loss
from yolact_pl.losses.terms.semantic import semantic_loss
from yolact_pl.losses.transfer import to_device
from yolact_pl.structures import Predictions, Target


class YolactLoss(nn.Module):
    """Matches anchors with objects and compares what was predicted with what is there.

    YOLACT, sections 3 and 5; with a mask IoU network also the loss of YOLACT++. Every term is weighted and
    normalised (the semantic one by the number of images, the others by the number of positive anchors, both
    averaged over the processes of a distributed run), so that the loss is their plain sum.

    Args:
        classification: takes class logits [B, A, 1 + C] and `Matches`, gives a sum: see
            `losses.classification`.
        box_weight: of the box regression term.
        class_weight: of the class term.
        mask_weight: of the mask term.
        semantic_weight: of the semantic term.
        mask_iou_weight: of the mask IoU term.
        positive_iou: see `match_anchors`.
        negative_iou: see `match_anchors`.
        crowd_iou: see `match_anchors`.
        max_masks: the most masks of one image that are learned in a step, chosen at random.
        min_mask_area: masks of at most so many prototype pixels teach nothing to the mask IoU network.
    """

    def __init__(
        self,
        classification: nn.Module,
        *,
        box_weight: float = 1.5,
        class_weight: float = 1.0,
        mask_weight: float = 6.125,
        semantic_weight: float = 1.0,
        mask_iou_weight: float = 25.0,
        positive_iou: float = 0.5,
        negative_iou: float = 0.4,
        crowd_iou: float = 0.7,
        max_masks: int = 100,
        min_mask_area: float = 25,
    ) -> None:
        super().__init__()
        self.classification = classification
        self.weights = {
            "box": box_weight,
            "class": class_weight,
            "mask": mask_weight,
            "semantic": semantic_weight,
            "mask_iou": mask_iou_weight,
        }
        self.positive_iou = positive_iou
        self.negative_iou = negative_iou
        self.crowd_iou = crowd_iou
        self.max_masks = max_masks
        self.min_mask_area = min_mask_area

    def forward(
        self, predictions: Predictions, targets: list[Target], mask_iou: nn.Module | None = None
    ) -> dict[str, Tensor]:
        """The terms, each a scalar with a graph, also for images without objects; in float32 or longer.

        A GPU that predicts is never waited for if the targets are on the CPU.

        Args:
            predictions: of B images.
            targets: of the same images, boxes in the unit of the anchors, masks at any resolution; on the CPU
                (or anywhere, but then they are fetched from there).
            mask_iou: the network of YOLACT++ that predicts the IoU of masks; adds the term `mask_iou`.

        Returns:
            `box`, `class`, `mask`; `semantic` if there are its logits; `mask_iou` if its network is given.
        """
        device = predictions.class_logits.device
        with torch.autocast(device.type, enabled=False):
            matches = match_anchors(
                predictions.anchors,
                targets,
                positive_iou=self.positive_iou,
                negative_iou=self.negative_iou,
                crowd_iou=self.crowd_iou,
            )
            on_device = matches.to(device)
            num_positives, num_images = _per_process(sum(matches.counts), len(targets), device=device)
            sums = {
                "box": _box_loss(predictions, targets, matches, on_device),
                "class": self.classification(predictions.class_logits, on_device),
                **self._mask_terms(predictions, targets, matches, mask_iou),
            }
            terms = {name: self.weights[name] * total / num_positives for name, total in sums.items()}
            if predictions.semantic_logits is not None:
                total = _semantic_term(predictions.semantic_logits, targets)
                terms["semantic"] = self.weights["semantic"] * total / num_images
            return terms

    def _mask_terms(
        self,
        predictions: Predictions,
        targets: list[Target],
        matches: Matches,
        mask_iou: nn.Module | None,
    ) -> dict[str, Tensor]:
        """The sums of `mask` and, with its network, `mask_iou`."""
        prototypes = at_least_float32(predictions.prototypes)
        device, (h, w) = prototypes.device, prototypes.shape[-2:]
        height, width = predictions.image_size
        boxes = scale_boxes(_joined(targets, "boxes").float(), x=w / width, y=h / height)
        own = [_prototype_masks(target["masks"], (h, w)) for target in targets]
        masks = torch.cat([to_device(part, device) for part in own])
        kept, weights = limit_positives(matches.counts, max_masks=self.max_masks)
        image, anchor = to_device(torch.stack((matches.image[kept], matches.anchor[kept])), device)
        coefficients = at_least_float32(predictions.coefficients[image, anchor])
        positives = Positives(coefficients, matches.image[kept], matches.objects[kept], weights)
        sums = {"mask": mask_loss(prototypes, positives, masks, boxes)}
        if mask_iou is not None:
            area = torch.cat([(part > 0.5).flatten(1).sum(1) for part in own]).cpu()
            sums["mask_iou"] = mask_iou_loss(
                mask_iou,
                prototypes,
                positives,
                masks,
                boxes,
                _joined(targets, "labels"),
                area > self.min_mask_area,
            )
        return sums


def _box_loss(
    predictions: Predictions, targets: list[Target], matches: Matches, on_device: Matches
) -> Tensor:
    """Smooth L1 between predicted and encoded boxes, summed over the positive anchors."""
    boxes = _joined(targets, "boxes").float()[matches.objects]
    truth = AnchorDecoder().encode(boxes, group_anchors(predictions.anchors).anchors[matches.anchor])
    deltas = at_least_float32(predictions.box_deltas[on_device.image, on_device.anchor])
    return F.smooth_l1_loss(deltas, to_device(truth, deltas.device), reduction="sum")


def _semantic_term(semantic_logits: Tensor, targets: list[Target]) -> Tensor:
    """`semantic_loss` of all objects but crowd regions."""
    size, device = (semantic_logits.shape[-2], semantic_logits.shape[-1]), semantic_logits.device
    masks = torch.cat(
        [resize_masks(to_device(t.get("semantic_masks", t["masks"]), device), size) for t in targets]
    )
    places = (image_of_rows(targets), _joined(targets, "labels"), ~_joined(targets, "iscrowd"))
    image, labels, objects = to_device(torch.stack(places), device)
    return semantic_loss(semantic_logits, masks & objects.bool()[:, None, None], image, labels)


def _prototype_masks(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """[N, *size] bool, or float as it is where it has that size."""
    soft = masks.is_floating_point() and masks.shape[-2:] == size
    return masks if soft else resize_masks(masks, size)


def _joined(targets: list[Target], key: Literal["boxes", "labels", "iscrowd"]) -> Tensor:
    """The rows of all targets, as `Matches.objects` counts them, on the CPU."""
    return torch.cat([target[key] for target in targets]).cpu()


def _per_process(num_positives: int, num_images: int, *, device: torch.device) -> tuple[Tensor, Tensor]:
    """Both numbers averaged over the processes.

    Divided by them, the averaged gradients of all processes are those of one process with all the images.
    """
    totals = torch.empty(2, device=device)
    totals[0], totals[1] = num_positives, num_images
    num_processes = 1
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(totals)
        num_processes = dist.get_world_size()
    per_process = totals.clamp(min=1) / num_processes
    return per_process[0], per_process[1]
