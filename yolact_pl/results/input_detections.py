"""Detections of one network input, and their place in the image."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.images.placement import Placement
from yolact_pl.results.detections import Detections
from yolact_pl.results.mask_parts import MaskParts
from yolact_pl.results.masks import SoftMasks, crop_windows
from yolact_pl.results.refined_boxes import refined_boxes


class InputDetections(NamedTuple):
    """Detections on one input of the network, best first."""

    boxes: NDArray[np.float32]
    """[N, 4] xyxy in pixels of the input; may reach outside of it, but finite."""
    scores: NDArray[np.float32]
    """[N]."""
    mask_scores: NDArray[np.float32]
    """[N]."""
    labels: NDArray[np.int64]
    """[N], 0-based."""
    masks: NDArray[np.float32]
    """[N, h, w] in 0..1 at the prototypes' resolution; values outside of the boxes are not used."""
    input_size: tuple[int, int]
    """(height, width) of the input."""
    prototypes: NDArray[np.float32] | None = None
    """[K, h, w] where `Detections.parts` are asked for, together with `coefficients`."""
    coefficients: NDArray[np.float32] | None = None
    """[N, K]."""

    def in_image(
        self,
        size: tuple[int, int],
        placement: Placement | None = None,
        *,
        whole_pixels: bool = True,
        refine_boxes: bool = False,
    ) -> Detections:
        """The same in pixels of the original image.

        Args:
            size: (height, width) of the image.
            placement: of the image on the input, whose size a batch may have enlarged; None: stretched all
                over it.
            whole_pixels: cut the corners of the boxes down to whole pixels, as published.
            refine_boxes: average the boxes with the rectangles around their masks.
        """
        map_size = (self.masks.shape[1], self.masks.shape[2])
        relative = self.boxes / _width_height(self.input_size)
        if placement is None:
            in_image, region = relative, (0.0, 0.0, float(map_size[0]), float(map_size[1]))
        else:
            offset = _width_height((placement.top, placement.left))
            in_image = (self.boxes - offset) / _width_height((placement.height, placement.width))
            region = placement._replace(canvas=self.input_size).on(map_size)
        windows = mask_windows(self.boxes, self.input_size, map_size)
        masks = SoftMasks.cropped(self.masks, windows, region, size)
        boxes = _fit_boxes(in_image, size)
        if refine_boxes:
            boxes = refined_boxes(boxes, masks)
        return Detections(
            boxes=np.trunc(boxes) if whole_pixels else boxes,
            scores=self.scores,
            mask_scores=self.mask_scores,
            labels=self.labels,
            small_masks=masks,
            parts=self._parts(relative, placement),
        )

    def _parts(self, relative: NDArray[np.float32], placement: Placement | None) -> MaskParts | None:
        if self.prototypes is None or self.coefficients is None:
            return None
        height, width = self.input_size
        _, top, left, h, w = Placement.whole(self.input_size) if placement is None else placement
        place = (left / width, top / height, (left + w) / width, (top + h) / height)
        return MaskParts(self.prototypes, self.coefficients, relative, place)


def mask_windows(
    boxes: NDArray[np.float32], input_size: tuple[int, int], map_size: tuple[int, int]
) -> NDArray[np.int64]:
    """What of each mask is kept.

    Args:
        boxes: [N, 4] xyxy in pixels of the input.
        input_size: (height, width) of the input.
        map_size: (height, width) of the masks.

    Returns:
        [N, 4] xyxy in pixels of the masks, see `crop_windows`.
    """
    relative = boxes / _width_height(input_size)
    return crop_windows(relative * _width_height(map_size), map_size)


def _fit_boxes(boxes: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Relative boxes as pixels of an image: corners in order and inside of it."""
    limit = _width_height(size)[:2]
    corners = boxes.reshape(-1, 2, 2) * limit
    ordered = np.stack((corners.min(axis=1), corners.max(axis=1)), axis=1)
    return np.clip(ordered, 0, limit).reshape(-1, 4)


def _width_height(size: tuple[int, int]) -> NDArray[np.float32]:
    """(height, width) as (width, height, width, height)."""
    return np.array([size[1], size[0]] * 2, dtype=np.float32)
