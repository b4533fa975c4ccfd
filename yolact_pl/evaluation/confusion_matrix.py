"""Confusion matrix of instance masks."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.data.annotations.segmentations import mask_api
from yolact_pl.evaluation.per_image import PerImageMetric
from yolact_pl.results.detections import Detections
from yolact_pl.results.encoding import encode_masks


class ImagePairs(NamedTuple):
    """What the objects and detections of one image count for."""

    image_id: int
    pairs: list[tuple[int, int]]
    """(true label, predicted label), where the number of classes stands for background."""


class ConfusionMatrix(PerImageMetric):
    """Which classes are taken for which: rows are the truth, columns the prediction, the last is background.

    The detections of an image are matched in the order of their scores: each takes the object with the
    largest mask IoU among those that no better detection took, whatever its class, if that IoU reaches the
    threshold. What stays unmatched is counted against the background. Crowd regions count as no object, and
    detections of their class whose mask is covered by one to the threshold are left out, as in COCO's AP.

    Args:
        annotations: of the data set.
        score_threshold: detections count whose score is higher.
        iou_threshold: of masks.
        options: of `torchmetrics.Metric`.
    """

    def __init__(
        self,
        annotations: Annotations,
        *,
        score_threshold: float = 0.3,
        iou_threshold: float = 0.5,
        **options: Any,
    ) -> None:
        super().__init__(annotations, **options)
        self.score_threshold = score_threshold
        self.iou_threshold = iou_threshold

    def update(self, image_ids: Sequence[int], detections: Sequence[Detections]) -> None:
        """Match the detections of some images, best first, in pixels of the original images."""
        known = self.annotations
        for image_id, found in zip(image_ids, detections, strict=True):
            shown = found[found.scores > self.score_threshold]
            rows = known.rows(self.index_of(image_id))
            pairs = match_masks(
                [{"size": shown.size, "counts": code} for code in encode_masks(shown.small_masks)],
                shown.labels,
                [known.rle(j) for j in range(rows.start, rows.stop)],
                known.labels[rows],
                known.iscrowd[rows],
                background=len(known.class_names),
                iou_threshold=self.iou_threshold,
            )
            self.rows.append(ImagePairs(image_id, pairs))

    def summarize(self, rows: Sequence[ImagePairs]) -> Tensor:
        """[C + 1, C + 1] int64, how many."""
        size = len(self.annotations.class_names) + 1
        matrix = np.zeros((size, size), np.int64)
        for row in rows:
            for truth, predicted in row.pairs:
                matrix[truth, predicted] += 1
        return torch.from_numpy(matrix)


def match_masks(
    found: Sequence[Any],
    labels: NDArray[np.int64],
    truth: Sequence[Any],
    true_labels: NDArray[np.int64],
    iscrowd: NDArray[np.bool_],
    *,
    background: int,
    iou_threshold: float,
) -> list[tuple[int, int]]:
    """The pairs (true label, predicted label) that an image counts for, see `ConfusionMatrix`.

    Args:
        found: D masks as COCO's run lengths, best first.
        labels: [D].
        truth: N masks as COCO's run lengths.
        true_labels: [N].
        iscrowd: [N].
        background: the label of what has no partner.
        iou_threshold: from which on masks are partners.
    """
    ious = np.zeros((len(found), len(truth)))
    if ious.size:
        ious = np.asarray(mask_api.iou(found, truth, iscrowd.tolist()))  # of crowds: the covered share
    partners = ious >= iou_threshold
    free = ~iscrowd
    pairs = []
    for d, label in enumerate(labels.tolist()):
        candidates = np.flatnonzero(partners[d] & free)
        if len(candidates):
            best = candidates[ious[d, candidates].argmax()]
            free[best] = False
            pairs.append((int(true_labels[best]), label))
        elif not (partners[d] & iscrowd & (true_labels == label)).any():
            pairs.append((background, label))
    return pairs + [(label, background) for label in true_labels[free].tolist()]
