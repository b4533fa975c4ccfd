"""Objects of one image with their rebuilt masks, as numbers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.data.annotations.segmentations import mask_api
from yolact_pl.evaluation.matching.image_matches import ImageMatches
from yolact_pl.evaluation.parts.rebuilding import Rebuilt, rebuild
from yolact_pl.results.detections import Detections
from yolact_pl.results.masks import Patch

MIN_OVERLAP = 0.1
"""IoU of box or mask from which on a detection is about an object (TIDE's border of the background)."""
ANOTHER_CLASS = 0.5
"""Mask IoU from which on a detection of another class has found an object."""


class ImageParts(NamedTuple):
    """N annotated objects of one image; no masks."""

    image_id: int
    matches: ImageMatches
    partners: NDArray[np.int64]
    """[N] row of the detection that is about the object, -1 for none."""
    rebuilt: NDArray[np.float32]
    """[N, 5], the fields of `Rebuilt`; 0 for crowd regions."""
    other_class: NDArray[np.bool_]
    """[N]: no detection is about the object, but one of another class covers it."""
    crowded: NDArray[np.float32]
    """[N] the largest box IoU with another object of the class."""


def measure_parts(
    matches: ImageMatches, detections: Detections, known: Annotations, index: int
) -> ImageParts:
    """Rebuild the masks of all objects of an image that are no crowd regions.

    Args:
        matches: of the image.
        detections: of the image, with their `parts`.
        known: the annotations.
        index: of the image in them.
    """
    assert detections.parts is not None
    rows = known.rows(index)
    boxes, single = known.boxes[rows], np.flatnonzero(~matches.iscrowd)
    same = (matches.labels[:, None] == matches.true_labels) & ~matches.iscrowd
    overlap = np.where(same, np.maximum(matches.mask_iou, matches.box_iou), 0)
    partners = find_partners(overlap, matches.mask_scores)
    rebuilt = np.zeros((len(boxes), len(Rebuilt._fields)), np.float32)
    if len(single):
        masks = [Patch.trimmed(known.mask(rows.start + n).view(np.bool_)) for n in single]
        found = [(n, d) for n, d in zip(single, partners[single], strict=True)]
        rebuilt[single] = rebuild(
            detections.parts,
            detections.size,
            masks,
            boxes[single],
            partners[single].tolist(),
            [float(matches.mask_iou[d, n]) if d >= 0 else 0.0 for n, d in found],
        )
    return ImageParts(
        image_id=matches.image_id,
        matches=matches,
        partners=partners,
        rebuilt=rebuilt,
        other_class=(partners < 0) & (matches.mask_iou >= ANOTHER_CLASS).any(axis=0) & ~matches.iscrowd,
        crowded=_crowded(known.coco_boxes[rows], matches),
    )


def find_partners(overlap: NDArray[np.floating], scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each object the best-scored detection whose nearest object it is, -1 where there is none.

    Args:
        overlap: [D, N]; 0 where a detection can't be about an object.
        scores: [D].
    """
    partners = np.full(overlap.shape[1], -1, np.int64)
    if overlap.size:
        nearest = overlap.argmax(axis=1)
        for d in np.argsort(-scores, kind="stable").tolist():
            n = nearest[d]
            if overlap[d, n] >= MIN_OVERLAP and partners[n] < 0:
                partners[n] = d
    return partners


def _crowded(boxes: NDArray[np.float64], matches: ImageMatches) -> NDArray[np.float32]:
    """[N] the largest IoU of each box (x, y, width, height) with one of its class, 0 for crowd regions."""
    if len(boxes) == 0:
        return np.zeros(0, np.float32)
    ious = np.asarray(mask_api.iou(boxes, boxes, [False] * len(boxes)))
    same = (matches.true_labels[:, None] == matches.true_labels) & ~np.eye(len(boxes), dtype=np.bool_)
    same &= ~matches.iscrowd[:, None] & ~matches.iscrowd
    return np.where(same, ious, 0).max(axis=1).astype(np.float32)
