"""Detections of one image as a numpy value."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from yolact_pl.results.mask_parts import MaskParts
from yolact_pl.results.masks import Patch, PixelMasks, SmallMasks

Rows: TypeAlias = int | slice | Sequence[int] | NDArray[np.int64] | NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Detections:
    """Detections in pixels of the original image, best first; N may be 0."""

    boxes: NDArray[np.float32]
    """[N, 4] xyxy."""
    scores: NDArray[np.float32]
    """[N]: confidence in the class. Boxes are ranked by it."""
    mask_scores: NDArray[np.float32]
    """[N]: masks are ranked by it. YOLACT: the same; YOLACT++: score x predicted mask IoU."""
    labels: NDArray[np.int64]
    """[N], 0-based."""
    small_masks: SmallMasks
    """The masks as they are kept; their memory does not grow with the image."""
    parts: MaskParts | None = None
    """What the masks were made of, where that was asked for."""
    tracker_ids: NDArray[np.int64] | None = None
    """[N], from 1: the same number for an object in all frames of a video; None where nothing is tracked."""
    coasting: NDArray[np.bool_] | None = None
    """[N], of tracked objects: true where the object was not detected but is shown where it is expected."""

    @classmethod
    def from_masks(
        cls,
        *,
        boxes: ArrayLike,
        scores: ArrayLike,
        labels: ArrayLike,
        masks: NDArray[np.bool_],
        mask_scores: ArrayLike | None = None,
    ) -> "Detections":
        """Detections of any origin with masks bool [N, H, W] at the image's size; N values each."""
        scores = np.asarray(scores, dtype=np.float32)
        return cls(
            boxes=np.asarray(boxes, dtype=np.float32).reshape(-1, 4),
            scores=scores,
            mask_scores=scores if mask_scores is None else np.asarray(mask_scores, dtype=np.float32),
            labels=np.asarray(labels, dtype=np.int64),
            small_masks=PixelMasks.of(np.asarray(masks, dtype=np.bool_)),
        )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.small_masks.size

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: Rows) -> "Detections":
        """Some of the objects: by index, slice, array of indices, or bool array.

        Raises:
            IndexError: an index out of range, or a bool array of another length.
        """
        index = np.atleast_1d(np.arange(len(self))[rows])
        if index.ndim > 1:
            raise IndexError(f"rows of shape {index.shape}: expected an index, a slice, or one dimension")
        return replace(
            self,
            boxes=self.boxes[index],
            scores=self.scores[index],
            mask_scores=self.mask_scores[index],
            labels=self.labels[index],
            small_masks=self.small_masks.rows(index),
            parts=None if self.parts is None else self.parts.rows(index),
            tracker_ids=None if self.tracker_ids is None else self.tracker_ids[index],
            coasting=None if self.coasting is None else self.coasting[index],
        )

    def mask_patch(self, row: int) -> Patch:
        """One mask inside of its bounding rectangle; no array of the image's size is made."""
        return self.small_masks.patch(row)

    def mask(self, row: int) -> NDArray[np.bool_]:
        """One mask [H, W]."""
        mask = np.zeros(self.size, dtype=np.bool_)
        patch = self.mask_patch(row)
        mask[patch.window] = patch.pixels
        return mask

    @cached_property
    def masks(self) -> NDArray[np.bool_]:
        """[N, H, W], made when first asked for and kept from then on."""
        masks = np.zeros((len(self), *self.size), dtype=np.bool_)  # memory is taken where a mask is written
        for row, mask in enumerate(masks):
            patch = self.mask_patch(row)
            mask[patch.window] = patch.pixels
        return masks

    @property
    def areas(self) -> NDArray[np.int64]:
        """[N] pixels of each mask."""
        counts = [np.count_nonzero(self.mask_patch(row).pixels) for row in range(len(self))]
        return np.array(counts, dtype=np.int64)
