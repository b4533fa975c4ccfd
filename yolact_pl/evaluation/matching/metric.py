"""Overlaps of detections and objects as a metric."""

from collections.abc import Sequence
from typing import Any

from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.evaluation.ground_truth import GroundTruth
from yolact_pl.evaluation.matching.image_matches import ImageMatches, match_image
from yolact_pl.evaluation.matching.set_matches import SetMatches, join_matches
from yolact_pl.evaluation.per_image import PerImageMetric
from yolact_pl.results.encoding import ImageResults


class DetectionMatches(PerImageMetric):
    """IoUs of the detections with the annotated objects of their images, measured once for all analyses.

    Args:
        annotations: of the data set.
        ground_truth: its objects, where another metric prepares them too.
        boundary: measure the IoU of boundaries as well.
        options: of `torchmetrics.Metric`.
    """

    rows: list[ImageMatches]

    def __init__(
        self,
        annotations: Annotations,
        *,
        ground_truth: GroundTruth | None = None,
        boundary: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(annotations, **options)
        self.ground_truth = ground_truth or GroundTruth(annotations)
        self.boundary = boundary
        self._label_of = {category: label for label, category in enumerate(annotations.category_ids)}

    def update(self, results: Sequence[ImageResults]) -> None:
        """Measure some images.

        Raises:
            ValueError: an image id that the annotations do not have.
        """
        for found in results:
            i = self.index_of(found.image_id)
            self.rows.append(
                match_image(
                    found,
                    self.ground_truth.objects(i),
                    label_of=self._label_of,
                    annotation_ids=self.annotations.ids[self.annotations.rows(i)],
                    boundary=self.boundary,
                )
            )

    def summarize(self, rows: Sequence[ImageMatches]) -> SetMatches:
        """All images in flat arrays."""
        return join_matches(rows, self.annotations.class_names)
