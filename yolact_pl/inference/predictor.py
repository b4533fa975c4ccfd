"""Images to detections, with any engine."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Unpack

from yolact_pl.images.depth import ValueRange
from yolact_pl.images.placement import STRETCH, Placement, Resize
from yolact_pl.inference.engines.engine import Engine
from yolact_pl.inference.options import Options
from yolact_pl.inference.tiling.tiles import predict_tiled
from yolact_pl.results.detections import Detections

MAX_OF_TILES = 1000


class Predictor:
    """A trained network that predicts on images.

    A call changes nothing, so threads may share a predictor.

    Args:
        engine: the runtime with the network.
        class_names: one for each label.
        resize: how images are placed on the network's input, as the network was trained.
        value_range: how image files with more than 8 bits are to be read, as in training, see `read_image`.
        class_thresholds: what `min_score="auto"` is for each class, where that was measured.
        options: see `Options`.

    Raises:
        ValueError: the network has another number of classes than there are names; a wrong option.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        class_names: Sequence[str],
        resize: Resize,
        value_range: ValueRange | None = None,
        class_thresholds: Sequence[float] | None = None,
        **options: Unpack[Options],
    ) -> None:
        if len(class_names) != engine.num_classes:
            raise ValueError(
                f"the network has {engine.num_classes} classes but {len(class_names)} class names were "
                "given: take those of the dataset that it was trained on"
            )
        self.engine = engine
        self.class_names = tuple(class_names)
        self.resize = resize
        self.value_range = value_range
        self.class_thresholds = class_thresholds
        self.request = engine.usual.changed(options, self.class_names, class_thresholds)
        engine.check(self.request)

    def with_options(self, **options: Unpack[Options]) -> "Predictor":
        """A predictor with the same engine and other options, see `Options`.

        Raises:
            ValueError: a class that the network does not know, or a value out of its range.
        """
        changed = copy.copy(self)
        changed.request = self.request.changed(options, self.class_names, self.class_thresholds)
        self.engine.check(changed.request)
        return changed

    def with_parts(self) -> "Predictor":
        """A predictor with the same engine whose detections have their `parts`."""
        changed = copy.copy(self)
        changed.request = replace(self.request, parts=True)
        self.engine.check(changed.request)
        return changed

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Detections of each image; all are one batch for the network.

        Args:
            images: uint8 [H, W, 3] RGB each, of any sizes.

        Returns:
            For each image its detections, in its own pixels, best first.

        Raises:
            ValueError: an image of another shape or type.
        """
        if len(images) == 0:
            return []
        outputs = self.forward([self.prepare(images)])
        return [self.detect(outputs, i, image.shape[:2]) for i, image in enumerate(images)]

    def tiled(
        self, image: NDArray[np.uint8], *, tile: int = 640, overlap: float = 0.2, batch_size: int = 4
    ) -> Detections:
        """Detections of a large image, predicted in overlapping tiles, see `predict_tiled`.

        Raises:
            ValueError: an image of another shape or type, or an option out of its range.
        """
        _check_image(0, image)
        return predict_tiled(
            self.with_options(top_k=None),  # the limit is for the image and not for each tile
            image,
            tile=tile,
            overlap=overlap,
            nms=self.request.nms,
            iou_threshold=self.request.iou_threshold,
            max_detections=self.request.top_k or MAX_OF_TILES,
            batch_size=batch_size,
        )

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the network's input, see `Resize`."""
        return self.resize.size

    def placement(self, size: tuple[int, ...]) -> Placement | None:
        """Of an image of (height, width) on the input; None: stretched all over it."""
        return None if self.resize.mode == STRETCH else self.resize.place((size[0], size[1]))

    def prepare(self, images: Sequence[NDArray[np.uint8]]) -> Any:
        """The first step of a call: images as the network's input."""
        for index, image in enumerate(images):
            _check_image(index, image)
        placements = [self.resize.place((image.shape[0], image.shape[1])) for image in images]
        return self.engine.prepare(images, placements)

    def forward(self, inputs: Sequence[Any]) -> Any:
        """The second step: the network's outputs for the results of `prepare`, all in one batch."""
        return self.engine.forward(inputs)

    def detect(self, outputs: Any, index: int, size: tuple[int, ...]) -> Detections:
        """The last step: detections of one image of the batch, of (height, width), in its pixels."""
        place = (size[0], size[1]), self.placement(size)
        request = self.request
        if request.class_min_scores is None:
            return self.engine.detect(outputs, index, *place, request)
        found = self.engine.detect(outputs, index, *place, replace(request, top_k=None))
        shown = found.scores > np.array(request.class_min_scores, np.float32)[found.labels]
        return found[shown][: request.top_k]


def _check_image(index: int, image: NDArray[np.uint8]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(
            f"image {index} is {image.dtype} of shape {tuple(image.shape)}: "
            "expected uint8 of shape (height, width, 3), channels RGB"
        )
