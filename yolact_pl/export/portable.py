"""A trained network from pixels to masks as one graph of portable operators with fixed shapes."""

import copy

import torch
from torch import Tensor, nn

from yolact_pl.export.deformable import replace_deformable
from yolact_pl.export.suppression import LEFT_OUT, CrossClassNms, ExactNms, FastNms, Survivors
from yolact_pl.geometry.masks import crop_masks
from yolact_pl.inference.exported.metadata import OUTPUTS
from yolact_pl.models.fast.fusing import fuse_batch_norm
from yolact_pl.models.fast.level_towers import split_towers
from yolact_pl.models.network import YolactNetwork
from yolact_pl.postprocess import FAR_AWAY, Postprocess
from yolact_pl.structures import Predictions

Parts = dict[str, Tensor]
COMPLETE = "complete"
"""Of `PortableModel.layout`: all parts at once."""


def parts_of(layout: str) -> tuple[str, ...]:
    """The parts of the graph that are the outputs of a layout, in order.

    They have the outputs' names, but that the coefficients of all anchors are `anchor_coefficients`.
    """
    if layout == COMPLETE:
        return tuple(dict.fromkeys(name for one in OUTPUTS for name in parts_of(one)))
    raw = layout == "raw"
    return tuple(f"anchor_{name}" if raw and name == "coefficients" else name for name in OUTPUTS[layout])


class FixedAnchors(nn.Module):
    """Anchors of one input size as a constant."""

    anchors: Tensor

    def __init__(self, anchors: Tensor) -> None:
        super().__init__()
        self.register_buffer("anchors", anchors)

    def forward(self, *_: object) -> Tensor:
        """[A, 4]."""
        return self.anchors


class PortableModel(nn.Module):
    """Images to the outputs of an exported model, by the numbers of network and `Postprocess`.

    Args:
        network: in float32; a copy of it is used, and it stays as it is.
        postprocess: whose thresholds and NMS become part of the graph.
        image_size: (height, width) of the input.
        dynamic_size: other sizes work too; their anchors are computed in the graph.
        half: the network computes in float16; what chooses and assembles stays in float32.
    """

    def __init__(
        self,
        network: YolactNetwork,
        postprocess: Postprocess,
        *,
        image_size: tuple[int, int],
        dynamic_size: bool = False,
        half: bool = False,
    ) -> None:
        super().__init__()
        self.network = portable_copy(network)
        if not dynamic_size:
            with torch.inference_mode(False), torch.no_grad():
                anchors = self.network(torch.zeros(1, 3, *image_size)).anchors
            self.network.anchors = FixedAnchors(anchors)  # pyright: ignore[reportAttributeAccessIssue]
        if half:
            for part in (self.network.backbone, self.network.fpn, self.network.protonet, self.network.head):
                part.half()
        self.decoder = postprocess.decoder
        self.score_threshold = postprocess.score_threshold
        self.mask_confidence = postprocess.mask_confidence
        self.suppress = _suppression(postprocess)
        self.layout = "detections"
        """Of what a call gives: a key of `OUTPUTS`, or `COMPLETE`."""

    def forward(self, images: Tensor) -> Parts:
        """Images [B, H, W, 3] of any number type, RGB in 0..255, to the outputs of the layout, by name."""
        # Cast first: some importers take bytes as inputs only.
        predictions = self.network(images.float().permute(0, 3, 1, 2))
        parts = _raw(predictions)
        if self.layout != "raw":
            parts |= self._detections(parts, predictions.image_size)
        wanted = parts_of(self.layout)
        names = wanted if self.layout == COMPLETE else OUTPUTS[self.layout]
        return {name: parts[part] for name, part in zip(names, wanted, strict=True)}

    def _detections(self, raw: Parts, image_size: tuple[int, int]) -> Parts:
        scores = self.decoder.scores(raw["class_logits"])
        confident = scores.amax(dim=2, keepdim=True) > self.score_threshold
        boxes = self.decoder.decode(raw["box_deltas"], raw["anchors"]).clamp(-FAR_AWAY, FAR_AWAY)
        chosen = self.suppress(boxes, torch.where(confident, scores, LEFT_OUT))
        boxes = _chosen_rows(boxes, chosen)
        coefficients, prototypes = _chosen_rows(raw["anchor_coefficients"], chosen), raw["prototypes"]
        masks = (coefficients @ prototypes.flatten(2)).unflatten(2, prototypes.shape[2:])
        return {
            "boxes": boxes,
            "scores": chosen.scores,
            "mask_scores": self._mask_scores(chosen, boxes, masks, image_size),
            "labels": chosen.labels,
            "masks": masks,
            "coefficients": coefficients,
        }

    def _mask_scores(
        self, chosen: Survivors, boxes: Tensor, masks: Tensor, image_size: tuple[int, int]
    ) -> Tensor:
        """[B, D] scores times what `Postprocess.finish` multiplies them with."""
        mask_iou = self.network.mask_iou
        if mask_iou is None and not self.mask_confidence:
            return chosen.scores
        map_size = masks.shape[2], masks.shape[3]
        soft = crop_masks(
            masks.flatten(0, 1).sigmoid(), _on_map(boxes.flatten(0, 1), image_size, map_size)
        )  # [B D, h, w]
        factor = torch.ones_like(chosen.scores.flatten())
        if mask_iou is not None:
            factor = factor * mask_iou(soft[:, None]).gather(1, chosen.labels.view(-1, 1))[:, 0]
        if self.mask_confidence:
            inside = (soft > 0.5).float()
            factor = factor * ((soft * inside).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1))
        return chosen.scores * factor.view_as(chosen.scores)


def portable_copy(network: YolactNetwork) -> YolactNetwork:
    """A copy for inference with batch norm fused and deformable convolutions in portable operators."""
    copied = copy.deepcopy(network).cpu().eval().requires_grad_(False)
    copied.semantic = None  # which only training uses
    split_towers(copied)
    fuse_batch_norm(copied)
    replace_deformable(copied)
    return copied


def _suppression(postprocess: Postprocess) -> nn.Module:
    limits = {
        "iou_threshold": postprocess.iou_threshold,
        "max_candidates": postprocess.max_candidates,
        "max_detections": postprocess.max_detections,
    }
    if postprocess.nms == "exact":
        return ExactNms(score_threshold=postprocess.score_threshold, **limits)
    return {"fast": FastNms, "cross_class": CrossClassNms}[postprocess.nms](**limits)


def _raw(predictions: Predictions) -> Parts:
    return {
        "class_logits": predictions.class_logits.float(),
        "box_deltas": predictions.box_deltas.float(),
        "anchor_coefficients": predictions.coefficients.float(),
        "prototypes": predictions.prototypes.float(),
        "anchors": predictions.anchors.float(),
    }


def _chosen_rows(values: Tensor, chosen: Survivors) -> Tensor:
    """[B, A, n] to [B, D, n], 0 in padding rows."""
    rows = values.gather(1, chosen.anchors[..., None].expand(-1, -1, values.shape[2]))
    return rows * (chosen.scores > 0)[..., None]


def _on_map(boxes: Tensor, image_size: tuple[int, int], map_size: tuple[int, int]) -> Tensor:
    """[N, 4] in pixels of the input as pixels of a map, in the order of operations of `Postprocess`."""
    x = boxes[:, 0::2] / image_size[1] * map_size[1]
    y = boxes[:, 1::2] / image_size[0] * map_size[0]
    return torch.stack((x, y), dim=2).flatten(1)
