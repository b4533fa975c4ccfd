"""Detections as COCO results: boxes as (x, y, width, height), masks run-length encoded."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.results.detections import Detections
from yolact_pl.results.masks import Patch, SmallMasks


class ImageResults(NamedTuple):
    """Detections of one image in plain Python types: small, and cheap to pickle and gather.

    An image without detections has one too, so that it counts as predicted.
    """

    image_id: int
    size: tuple[int, int]
    """(height, width) of the image."""
    category_ids: list[int]
    boxes: list[list[float]]
    """(x, y, width, height) in pixels of the image."""
    scores: list[float]
    mask_scores: list[float]
    segmentations: list[str]
    """COCO's compressed run lengths of each mask."""

    def box_rows(self) -> Iterator[dict[str, Any]]:
        """One COCO result a detection, with its box and the score that boxes are ranked by."""
        for category, box, score in zip(self.category_ids, self.boxes, self.scores, strict=True):
            yield {"image_id": self.image_id, "category_id": category, "bbox": box, "score": score}

    def mask_rows(self) -> Iterator[dict[str, Any]]:
        """One COCO result a detection, with its mask and the score that masks are ranked by."""
        for category, counts, score in zip(
            self.category_ids, self.segmentations, self.mask_scores, strict=True
        ):
            segmentation = {"size": list(self.size), "counts": counts}
            yield {
                "image_id": self.image_id,
                "category_id": category,
                "segmentation": segmentation,
                "score": score,
            }


def encode_detections(image_id: int, detections: Detections, category_ids: Sequence[int]) -> ImageResults:
    """The COCO results of one image.

    Args:
        image_id: its id in the annotation file.
        detections: in pixels of the original image.
        category_ids: the id in the annotation file of each label.
    """
    boxes = detections.boxes.astype(np.float64)
    boxes = np.concatenate((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]), axis=1)
    return ImageResults(
        image_id=image_id,
        size=detections.size,
        category_ids=[category_ids[label] for label in detections.labels.tolist()],
        boxes=boxes.tolist(),
        scores=detections.scores.tolist(),
        mask_scores=detections.mask_scores.tolist(),
        segmentations=encode_masks(detections.small_masks),
    )


def encode_masks(masks: SmallMasks) -> list[str]:
    """COCO's compressed run lengths of N masks, the `counts` of a segmentation; all compressed at once."""
    if len(masks) == 0:
        return []
    return compress_counts([_run_lengths(masks.patch(row), masks.size) for row in range(len(masks))])


def _run_lengths(patch: Patch, size: tuple[int, int]) -> NDArray[np.int64]:
    """Lengths of the runs of 0, 1, 0, ... of a mask of (height, width) read column by column."""
    num_pixels = size[0] * size[1]
    height, width = patch.pixels.shape
    if width == 0:
        return np.array([num_pixels])

    # A zero at the end of each column separates it from the next; runs start and end where a value changes.
    window = np.zeros((width, height + 1), dtype=np.bool_)
    window[:, :-1] = patch.pixels.T
    flat = window.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat[0]:
        changes = np.insert(changes, 0, 0)
    column, row = np.divmod(changes, height + 1)
    changes = (column + patch.x) * size[0] + row + patch.y

    # A run through the bottom of one column and the top of the next was cut: one ends where the other starts.
    touching = np.flatnonzero(changes[1:] == changes[:-1])
    if len(touching):
        changes = np.delete(changes, np.concatenate((touching, touching + 1)))
    counts = np.diff(changes, prepend=0, append=num_pixels)
    return counts if counts[-1] else counts[:-1]


def compress_counts(counts: Sequence[NDArray[np.int64]]) -> list[str]:
    """COCO's text form of run lengths, one text a mask.

    A character holds 5 bits, and from the fourth on a number is the difference to the last but one.
    """
    lengths = np.array([len(c) for c in counts])
    values = np.concatenate(counts)
    position = np.arange(len(values)) - np.repeat(lengths.cumsum() - lengths, lengths)
    rest = values.astype(np.int32)
    rest[2:] -= np.where(position[2:] > 2, values[:-2], 0)

    characters = np.zeros((len(values), 7), dtype=np.uint8)  # 35 bits: more pixels than any image has
    unfinished = np.ones(len(values), dtype=np.bool_)
    for column in range(7):
        group = rest & 0x1F
        rest = rest >> 5
        more = np.where(group & 0x10, rest != -1, rest != 0)
        characters[:, column] = np.where(unfinished, group + 48 + 32 * more, 0)
        unfinished &= more
        if not unfinished.any():
            break
    used = characters != 0
    text = characters[used].tobytes().decode("ascii")
    ends = used.sum(axis=1).cumsum()[lengths.cumsum() - 1]
    return [text[start:end] for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)]
