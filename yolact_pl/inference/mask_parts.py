"""What the masks of one image were made of."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from yolact_pl.inference.drawing.map_panels import WHOLE, Map, Region
from yolact_pl.inference.predictor import Predictor
from yolact_pl.postprocess import Chosen
from yolact_pl.structures import Detections, Placement, Predictions


class MaskParts(NamedTuple):
    """Prototypes, and for each detection of an image what combines them."""

    prototypes: Map
    """[K, h, w], not negative."""
    coefficients: Map
    """[N, K] in -1..1, best detection first."""
    boxes: Map
    """[N, 4] xyxy relative to the network's input, to which masks are cropped; may reach outside of it."""
    place: Region
    """Of the image on the network's input, and so on the prototypes."""

    @classmethod
    def of(
        cls, predictions: Predictions, index: int, chosen: Chosen, placement: Placement | None
    ) -> "MaskParts":
        """Copies of what belongs to one image of a batch, so that the batch's memory can be given back.

        Args:
            predictions: of the batch.
            index: of the image.
            chosen: of the image, see `Postprocess.choose`.
            placement: of the image; None: stretched over the whole input.
        """
        height, width = predictions.image_size
        place = WHOLE
        if placement is not None:
            x1, y1 = placement.left / width, placement.top / height
            place = Region(x1, y1, x1 + placement.width / width, y1 + placement.height / height)
        return cls(
            _copy(predictions.prototypes[index]),
            _copy(predictions.coefficients[index, chosen.anchors]),
            _copy(chosen.boxes / chosen.boxes.new_tensor([width, height, width, height])),
            place,
        )


def predict_with_parts(
    predictor: Predictor, images: Sequence[NDArray[np.uint8]]
) -> list[tuple[Detections, MaskParts]]:
    """What a predictor's call gives, and what the masks were made of."""
    predictions = predictor.forward([predictor.prepare(images)])
    found = []
    for index, image in enumerate(images):
        size = (image.shape[0], image.shape[1])
        chosen = predictor.choose(predictions, index, size)
        parts = MaskParts.of(predictions, index, chosen, predictor.placement(size))
        found.append((predictor.finish(predictions, index, chosen, size), parts))
    return found


def _copy(values: Tensor) -> Map:
    """On the CPU, zero where a network that went astray gives no number."""
    return np.nan_to_num(values.float().cpu().numpy(), nan=0.0, posinf=0.0, neginf=0.0)
