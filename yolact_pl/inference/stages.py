"""A predictor's call in steps, to measure each and to see what passes from one to the next."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yolact_pl.inference.options import changed_postprocess
from yolact_pl.inference.predictor import UNLIMITED, Predictor
from yolact_pl.postprocess import Chosen
from yolact_pl.structures import Detections, Predictions


class Stages:
    """The four steps that lead from pixels to detections; one after the other they are the predictor's call.

    Args:
        predictor: whose network, options and device are used.
        precision: what the network computes in; None: as the predictor does.
    """

    def __init__(self, predictor: Predictor, *, precision: torch.dtype | None = None) -> None:
        self.predictor = predictor
        self.precision = precision

    def to_input(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """uint8 [H, W, 3] RGB of any sizes to the network's batch, float32 [B, 3, H, W] on the device."""
        return self.predictor.prepare(images)

    def predict(self, batch: Tensor) -> Predictions:
        """The network's answer."""
        if self.precision is None:
            return self.predictor.forward([batch])
        enabled = self.precision != torch.float32
        with torch.autocast(self.predictor.device.type, dtype=self.precision, enabled=enabled):
            return self.predictor.forward([batch])

    @torch.inference_mode()
    def choose(self, predictions: Predictions, index: int) -> Chosen:
        """What stays of one image of the batch: boxes decoded and suppressed, as the options ask."""
        predictor, postprocess, limit = self.predictor, self.predictor.postprocess, self.predictor._limit()
        if predictor.labels is not None or limit > postprocess.max_detections:  # the limit comes afterwards
            postprocess = changed_postprocess(postprocess, max_detections=UNLIMITED)
        chosen = postprocess.choose(predictions, index, min_score=predictor.min_score)
        if predictor.labels is not None:
            wanted = torch.isin(chosen.labels, chosen.labels.new_tensor(sorted(predictor.labels)))
            chosen = Chosen(*(part[wanted] for part in chosen))
        return Chosen(*(part[:limit] for part in chosen))

    @torch.inference_mode()
    def finish(
        self, predictions: Predictions, index: int, chosen: Chosen, size: tuple[int, int]
    ) -> Detections:
        """Masks, and all in pixels of an image of (height, width)."""
        predictor, placement = self.predictor, self.predictor.placement(size)
        return predictor.postprocess.finish(
            predictions, index, chosen, size, predictor.network.mask_iou, placement=placement
        )
