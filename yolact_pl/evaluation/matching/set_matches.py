"""Matches of all images of a set in flat arrays."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from yolact_pl.data.annotations.segmentations import starts
from yolact_pl.evaluation.matching.greedy import Overlaps
from yolact_pl.evaluation.matching.image_matches import ImageMatches

Kind: TypeAlias = Literal["box", "mask", "boundary"]
MIN_IOU = 0.1
"""What overlaps by less counts as apart: the background threshold of TIDE, the lowest one in use."""


class SetMatches(NamedTuple):
    """D detections and N annotated objects of I images; see `ImageMatches`."""

    class_names: Sequence[str]
    """C names by label."""
    image_ids: NDArray[np.int64]
    """[I], ascending."""
    images: NDArray[np.int64]
    """[D] in 0..I-1: where each detection is."""
    scores: NDArray[np.float32]
    """[D]."""
    mask_scores: NDArray[np.float32]
    """[D]."""
    labels: NDArray[np.int64]
    """[D]."""
    mask_areas: NDArray[np.float32]
    """[D] pixels."""
    box_areas: NDArray[np.float32]
    """[D] square pixels."""
    true_images: NDArray[np.int64]
    """[N] in 0..I-1."""
    true_labels: NDArray[np.int64]
    """[N]."""
    true_areas: NDArray[np.float64]
    """[N] square pixels."""
    iscrowd: NDArray[np.bool_]
    """[N]."""
    annotation_ids: NDArray[np.int64]
    """[N]."""
    box: Overlaps
    """Pairs with an IoU of at least `MIN_IOU`."""
    mask: Overlaps
    boundary: Overlaps | None

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def num_truths(self) -> NDArray[np.int64]:
        """[C] objects of each class, crowd regions not counted."""
        return np.bincount(self.true_labels[~self.iscrowd], minlength=self.num_classes)

    def overlaps(self, kind: Kind) -> Overlaps:
        """The pairs of boxes, masks or boundaries.

        Raises:
            ValueError: boundaries were not measured.
        """
        pairs = {"box": self.box, "mask": self.mask, "boundary": self.boundary}[kind]
        if pairs is None:
            raise ValueError("boundaries were not measured: match with boundary=True")
        return pairs

    def ranked_by(self, kind: Kind) -> NDArray[np.float32]:
        """[D]: the scores that boxes or masks are ranked by."""
        return self.scores if kind == "box" else self.mask_scores


def join_matches(rows: Sequence[ImageMatches], class_names: Sequence[str]) -> SetMatches:
    """The matches of several images, in the order of their ids."""
    rows = sorted(rows, key=lambda row: row.image_id)
    counts = np.array([len(row.labels) for row in rows], np.int64)
    true_counts = np.array([len(row.true_labels) for row in rows], np.int64)
    offsets = list(zip(starts(counts), starts(true_counts), strict=True))[:-1]
    has_boundary = bool(rows) and all(row.boundary_iou is not None for row in rows)

    def joined(name: str, dtype: type) -> NDArray:
        return np.concatenate([np.zeros(0, dtype), *(getattr(row, name) for row in rows)]).astype(dtype)

    def overlaps(name: str) -> Overlaps:
        parts = [_overlaps(getattr(row, name), *at) for row, at in zip(rows, offsets, strict=True)]
        empty = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
        return Overlaps(*(np.concatenate(column) for column in zip(empty, *parts, strict=True)))

    return SetMatches(
        class_names=class_names,
        image_ids=np.array([row.image_id for row in rows], np.int64),
        images=np.repeat(np.arange(len(rows)), counts),
        scores=joined("scores", np.float32),
        mask_scores=joined("mask_scores", np.float32),
        labels=joined("labels", np.int64),
        mask_areas=joined("mask_areas", np.float32),
        box_areas=joined("box_areas", np.float32),
        true_images=np.repeat(np.arange(len(rows)), true_counts),
        true_labels=joined("true_labels", np.int64),
        true_areas=joined("true_areas", np.float64),
        iscrowd=joined("iscrowd", np.bool_),
        annotation_ids=joined("annotation_ids", np.int64),
        box=overlaps("box_iou"),
        mask=overlaps("mask_iou"),
        boundary=overlaps("boundary_iou") if has_boundary else None,
    )


def _overlaps(ious: NDArray[np.float32], first_detection: int, first_truth: int) -> Overlaps:
    """The pairs of one image, numbered in the whole set."""
    detections, truths = np.nonzero(ious >= np.float32(MIN_IOU))
    return Overlaps(detections + first_detection, truths + first_truth, ious[detections, truths])
