"""Shares of the parts as a metric."""

from collections.abc import Sequence
from typing import Any

from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.evaluation.matching.image_matches import ImageMatches
from yolact_pl.evaluation.parts.image_parts import ImageParts, measure_parts
from yolact_pl.evaluation.parts.shares import PartShares, part_shares
from yolact_pl.evaluation.per_image import PerImageMetric
from yolact_pl.results.detections import Detections

MAX_OBJECTS = 2000
"""Of larger sets only every so manieth image is looked at."""


class FailedParts(PerImageMetric):
    """Which part of the network costs how much mask AP, see `part_shares`.

    Masks are rebuilt image by image; only numbers are kept.

    Args:
        annotations: of the data set.
        num_images: that will be evaluated.
        num_objects: on them.
        options: of `torchmetrics.Metric`.
    """

    def __init__(
        self, annotations: Annotations, *, num_images: int, num_objects: int, **options: Any
    ) -> None:
        super().__init__(annotations, **options)
        self.num_images = num_images
        self.every = -(-num_objects // MAX_OBJECTS) or 1
        self._num_prototypes = 0
        self._map_size: list[int] = [0, 0]

    def update(self, matches: Sequence[ImageMatches], detections: Sequence[Detections]) -> None:
        """Take some images: their matches, and their detections, which have `parts`."""
        for of_image, found in zip(matches, detections, strict=True):
            index = self.index_of(of_image.image_id)
            if index % self.every == 0:
                assert found.parts is not None
                self._num_prototypes, *self._map_size = found.parts.prototypes.shape
                self.rows.append(measure_parts(of_image, found, self.annotations, index))

    def summarize(self, rows: Sequence[ImageParts]) -> PartShares:
        """The shares on the images that were looked at."""
        return part_shares(
            rows,
            self.annotations.class_names,
            total_images=self.num_images,
            num_prototypes=self._num_prototypes,
            map_size=(self._map_size[0], self._map_size[1]),
        )
