"""From what the network says to what was found, in pixels of the original images."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from yolact_pl.decoders.anchor_decoder import AnchorDecoder
from yolact_pl.decoders.decoder import Decoder
from yolact_pl.geometry.masks import assemble_masks, crop_masks, crop_windows, upsample_masks
from yolact_pl.geometry.nms import Survivors, cross_class_nms, exact_nms, fast_nms
from yolact_pl.structures import Detections, Placement, Predictions

NMS_MODES = ("fast", "cross_class", "exact")
FAR_AWAY = 1e7  # pixels: stands for infinity, finite when squared


class Chosen(NamedTuple):
    """What stays of one image's predictions after suppression, best first."""

    anchors: Tensor
    """[N] int64: rows of the predictions."""
    boxes: Tensor
    """[N, 4] float32 xyxy in pixels of the network's input; may reach outside of it."""
    labels: Tensor
    """[N] int64, 0-based."""
    scores: Tensor
    """[N] float32."""


class Postprocess:
    """Choose detections among the predictions and make their masks (YOLACT, sections 3.3 and 3.4).

    An anchor takes part, with all its classes, if its best class score exceeds `score_threshold`; all that
    follows touches only those.

    Args:
        decoder: of the network's class logits and box deltas; None: the published `AnchorDecoder`.
        nms: "fast" (the published default), "cross_class" (fast, each anchor with its best class only) or
            "exact" (torchvision's), see `geometry.nms`.
        score_threshold: before suppression, 0 <= threshold < 1.
        iou_threshold: a box that overlaps a better one by more is dropped.
        max_candidates: boxes that fast NMS looks at, in each class; over all classes for "cross_class".
        max_detections: kept of each image; "cross_class" keeps all that survive, as published.
        whole_pixel_boxes: cut the corners of the boxes down to whole pixels, as published.
    """

    def __init__(
        self,
        *,
        decoder: Decoder | None = None,
        nms: str = "fast",
        score_threshold: float = 0.05,
        iou_threshold: float = 0.5,
        max_candidates: int = 200,
        max_detections: int = 100,
        whole_pixel_boxes: bool = True,
    ) -> None:
        if nms not in NMS_MODES:
            raise ValueError(f"nms={nms!r} is not known; choose one of {', '.join(NMS_MODES)}")
        if not 0 <= score_threshold < 1:
            raise ValueError(f"score_threshold={score_threshold} must be at least 0 and below 1")
        self.decoder: Decoder = AnchorDecoder() if decoder is None else decoder
        self.nms = nms
        self.score_threshold = score_threshold
        self.iou_threshold = iou_threshold
        self.max_candidates = max_candidates
        self.max_detections = max_detections
        self.whole_pixel_boxes = whole_pixel_boxes

    @torch.no_grad()
    def __call__(
        self,
        predictions: Predictions,
        sizes: Sequence[tuple[int, int]],
        mask_iou: nn.Module | None = None,
        *,
        min_score: float = 0.0,
        placements: Sequence[Placement | None] | None = None,
    ) -> list[Detections]:
        """Detections of each image, best first, computed in float32 whatever the predictions are.

        Args:
            predictions: of a batch.
            sizes: (height, width) of each original image.
            mask_iou: YOLACT++'s network, [N, 1, h, w] cropped soft masks to [N, C] IoUs; without it the mask
                scores are the scores.
            min_score: of the detections only those above are given.
            placements: of the original images on the input; None: stretched all over it.
        """
        placements = [None] * len(sizes) if placements is None else placements
        with torch.autocast(predictions.class_logits.device.type, enabled=False):
            return [
                self.finish(
                    predictions,
                    image,
                    self.choose(predictions, image, min_score=min_score, placement=placement),
                    size,
                    mask_iou,
                    placement=placement,
                )
                for image, (size, placement) in enumerate(zip(sizes, placements, strict=True))
            ]

    @torch.no_grad()
    def choose(
        self,
        predictions: Predictions,
        image: int,
        *,
        min_score: float = 0.0,
        placement: Placement | None = None,
    ) -> Chosen:
        """The first half of a call: which anchors of one image of the batch stay; no mask is made.

        Boxes that lie beside the image's place on the input do not take part.
        """
        anchors, scores = self.decoder.confident(predictions.class_logits[image], self.score_threshold)
        boxes = self.decoder.decode(
            predictions.box_deltas[image, anchors].float(), predictions.anchors[anchors].float()
        )
        boxes = boxes.nan_to_num(nan=0.0, posinf=FAR_AWAY, neginf=-FAR_AWAY)
        if placement is not None:
            touching = _touching(boxes, placement).nonzero()[:, 0]
            anchors, boxes, scores = anchors[touching], boxes[touching], scores[touching]
        index, labels, scores = self._suppress(boxes, scores)
        if min_score > 0:
            shown = (scores > min_score).nonzero()[:, 0]
            index, labels, scores = index[shown], labels[shown], scores[shown]
        return Chosen(anchors[index], boxes[index], labels, scores)

    @torch.no_grad()
    def finish(
        self,
        predictions: Predictions,
        image: int,
        chosen: Chosen,
        size: tuple[int, int],
        mask_iou: nn.Module | None = None,
        *,
        placement: Placement | None = None,
    ) -> Detections:
        """The second half of a call: masks, and all in pixels of the original image of (height, width)."""
        boxes = chosen.boxes / _width_height(predictions.image_size, chosen.boxes)  # relative
        boxes_in_image, region = boxes, None
        if placement is not None:
            placement = placement._replace(canvas=predictions.image_size)  # which batches may enlarge
            boxes_in_image = _relative_boxes(chosen.boxes, placement)
            region = placement.on((predictions.prototypes.shape[2], predictions.prototypes.shape[3]))
        soft_masks, windows = _soft_masks(
            predictions.prototypes[image].float(),
            predictions.coefficients[image, chosen.anchors].float(),
            boxes,
        )
        scores, labels = chosen.scores, chosen.labels
        return Detections(
            boxes=_fit_boxes(boxes_in_image, size, whole_pixels=self.whole_pixel_boxes),
            scores=scores,
            mask_scores=scores if mask_iou is None else scores * _predicted_iou(mask_iou, soft_masks, labels),
            labels=labels,
            masks=upsample_masks(soft_masks, windows, size, region),
        )

    def _suppress(self, boxes: Tensor, scores: Tensor) -> Survivors:
        if self.nms == "cross_class":
            return cross_class_nms(
                boxes, scores, iou_threshold=self.iou_threshold, max_candidates=self.max_candidates
            )
        if self.nms == "exact":
            return exact_nms(
                boxes,
                scores,
                iou_threshold=self.iou_threshold,
                score_threshold=self.score_threshold,
                max_detections=self.max_detections,
            )
        return fast_nms(
            boxes,
            scores,
            iou_threshold=self.iou_threshold,
            max_candidates=self.max_candidates,
            max_detections=self.max_detections,
        )


def _soft_masks(prototypes: Tensor, coefficients: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """[N, h, w] masks in 0..1, zero outside of the windows [N, 4] of their (relative) boxes."""
    size = (prototypes.shape[1], prototypes.shape[2])
    boxes = boxes * _width_height(size, boxes)
    masks = assemble_masks(prototypes, coefficients).sigmoid_()
    return crop_masks(masks, boxes), crop_windows(boxes, size)


def _touching(boxes: Tensor, placement: Placement) -> Tensor:
    """[N] bool: which boxes, in pixels of the input, share some area with the image's place."""
    corners = boxes.view(-1, 2, 2)
    start = _repeated((placement.left, placement.top), boxes)[:2]
    end = start + _repeated((placement.width, placement.height), boxes)[:2]
    low, high = corners.amin(dim=1).maximum(start), corners.amax(dim=1).minimum(end)
    return (low < high).all(dim=1)


def _relative_boxes(boxes: Tensor, placement: Placement) -> Tensor:
    """Boxes in pixels of the input, relative to the image's place on it."""
    offset = _repeated((placement.left, placement.top), boxes)
    return (boxes - offset) / _width_height((placement.height, placement.width), boxes)


def _fit_boxes(boxes: Tensor, size: tuple[int, int], *, whole_pixels: bool) -> Tensor:
    """Relative boxes as pixels of an image: corners in order and inside of it."""
    corners = boxes.view(-1, 2, 2) * _width_height(size, boxes)[:2]
    ordered = torch.stack((corners.amin(dim=1), corners.amax(dim=1)), dim=1).clamp(min=0)
    fitted = torch.minimum(ordered, _width_height(size, boxes)[:2]).view(-1, 4)
    return fitted.trunc() if whole_pixels else fitted


def _predicted_iou(mask_iou: nn.Module, soft_masks: Tensor, labels: Tensor) -> Tensor:
    """[N] IoU of each mask with its object as the network sees it (YOLACT++, section 6.1)."""
    if len(labels) == 0:
        return soft_masks.new_zeros(0)
    dtype = next(mask_iou.parameters()).dtype
    predicted = mask_iou(soft_masks[:, None].to(dtype)).float()
    return predicted.gather(1, labels[:, None])[:, 0].nan_to_num(nan=0.0)


def _width_height(size: tuple[int, int], like: Tensor) -> Tensor:
    """(height, width) as a tensor (width, height, width, height)."""
    return _repeated((size[1], size[0]), like)


def _repeated(pair: tuple[float, float], like: Tensor) -> Tensor:
    """(x, y) as a tensor (x, y, x, y), filled in where `like` is: a GPU would be waited for to copy it."""
    points = like.new_full((2, 2), pair[0])
    points[:, 1].fill_(pair[1])
    return points.view(4)
