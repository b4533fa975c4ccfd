"""From predictions to detections in pixels of the original images."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from yolact_pl.decoders.anchor_decoder import AnchorDecoder
from yolact_pl.decoders.decoder import Decoder
from yolact_pl.geometry.masks import assemble_masks, crop_masks
from yolact_pl.geometry.nms import Survivors, cross_class_nms, exact_nms, fast_nms
from yolact_pl.images.placement import Placement
from yolact_pl.results.detections import Detections
from yolact_pl.results.input_detections import InputDetections
from yolact_pl.structures import Predictions

NMS_MODES = ("fast", "cross_class", "exact")
FAR_AWAY = 1e7  # pixels: stands for infinity, finite when squared


class Chosen(NamedTuple):
    """Predictions of one image that survive suppression, best first."""

    anchors: Tensor
    """[N] int64: rows of the predictions."""
    boxes: Tensor
    """[N, 4] float32 xyxy in pixels of the network's input; may reach outside of it."""
    labels: Tensor
    """[N] int64, 0-based."""
    scores: Tensor
    """[N] float32."""


class Finished(NamedTuple):
    """Detections on one input, on the device, best first."""

    boxes: Tensor
    """[N, 4] float32 xyxy in pixels of the input; may reach outside of it."""
    scores: Tensor
    """[N] float32."""
    mask_scores: Tensor
    """[N] float32."""
    labels: Tensor
    """[N] int64, 0-based."""
    masks: Tensor
    """[N, h, w] float32 in 0..1 at the prototypes' resolution, not cropped."""
    input_size: tuple[int, int]
    """(height, width)."""

    def on_cpu(self) -> InputDetections:
        """The same as numpy arrays; a GPU is waited for."""
        boxes, scores, mask_scores, labels, masks = (part.cpu().numpy() for part in self[:5])
        return InputDetections(boxes, scores, mask_scores, labels, masks, self.input_size)


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
        mask_confidence: multiply the mask scores by the mean probability of the pixels in the mask, by which
            the network says how sure it is of the outline (maskness: SOLO, Wang et al. 2020, section 4.1).
        refine_boxes: average each box with the rectangle around its mask, see `results.refined_boxes`.
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
        mask_confidence: bool = False,
        refine_boxes: bool = False,
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
        self.mask_confidence = mask_confidence
        self.refine_boxes = refine_boxes

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
            mask_iou: YOLACT++'s network, [N, 1, h, w] cropped soft masks to [N, C] IoUs, which multiply the
                mask scores.
            min_score: of the detections only those above are given.
            placements: of the original images on the input; None: stretched all over it.
        """
        placements = [None] * len(sizes) if placements is None else placements
        with torch.autocast(predictions.class_logits.device.type, enabled=False):
            made = []
            for image, placement in enumerate(placements):
                chosen = self.choose(predictions, image, min_score=min_score, placement=placement)
                made.append(self.finish(predictions, image, chosen, mask_iou))
        return [  # the device is waited for once all images' masks are under way
            one.on_cpu().in_image(
                size, placement, whole_pixels=self.whole_pixel_boxes, refine_boxes=self.refine_boxes
            )
            for one, size, placement in zip(made, sizes, placements, strict=True)
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
        """The first half of a call: the anchors of one image of the batch that survive; no mask is made.

        Boxes outside of the image's place on the input are dropped.
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
        mask_iou: nn.Module | None = None,
    ) -> Finished:
        """The second half of a call: masks at the prototypes' resolution; a GPU is not waited for."""
        prototypes = predictions.prototypes[image].float()
        coefficients = predictions.coefficients[image, chosen.anchors].float()
        masks, scores = assemble_masks(prototypes, coefficients).sigmoid_(), chosen.scores
        mask_scores = scores
        if mask_iou is not None or self.mask_confidence:
            map_size = (masks.shape[1], masks.shape[2])
            relative = chosen.boxes / _width_height(predictions.image_size, chosen.boxes)
            cropped = crop_masks(masks, relative * _width_height(map_size, relative))
            if mask_iou is not None:
                mask_scores = mask_scores * _predicted_iou(mask_iou, cropped, chosen.labels)
            if self.mask_confidence:
                mask_scores = mask_scores * _mean_probability(cropped)
        return Finished(chosen.boxes, scores, mask_scores, chosen.labels, masks, predictions.image_size)

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


def _touching(boxes: Tensor, placement: Placement) -> Tensor:
    """[N] bool: which boxes, in pixels of the input, share some area with the image's place."""
    corners = boxes.view(-1, 2, 2)
    start = _repeated((placement.left, placement.top), boxes)[:2]
    end = start + _repeated((placement.width, placement.height), boxes)[:2]
    low, high = corners.amin(dim=1).maximum(start), corners.amax(dim=1).minimum(end)
    return (low < high).all(dim=1)


def _predicted_iou(mask_iou: nn.Module, soft_masks: Tensor, labels: Tensor) -> Tensor:
    """[N] IoU of each mask with its object as the network sees it (YOLACT++, section 6.1)."""
    if len(labels) == 0:
        return soft_masks.new_zeros(0)
    dtype = next(mask_iou.parameters()).dtype
    predicted = mask_iou(soft_masks[:, None].to(dtype)).float()
    return predicted.gather(1, labels[:, None])[:, 0].nan_to_num(nan=0.0)


def _mean_probability(soft_masks: Tensor) -> Tensor:
    """[N, h, w] cropped soft masks to [N]: the mean of the pixels above 1/2, 0 where there is none."""
    inside = soft_masks > 0.5
    return (soft_masks * inside).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)


def _width_height(size: tuple[int, int], like: Tensor) -> Tensor:
    """(height, width) as a tensor (width, height, width, height)."""
    return _repeated((size[1], size[0]), like)


def _repeated(pair: tuple[float, float], like: Tensor) -> Tensor:
    """(x, y) as a tensor (x, y, x, y), filled in where `like` is: a GPU would be waited for to copy it."""
    points = like.new_full((2, 2), pair[0])
    points[:, 1].fill_(pair[1])
    return points.view(4)
