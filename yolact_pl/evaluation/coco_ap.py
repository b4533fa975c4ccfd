"""COCO average precision: boxes ranked by their scores, masks by theirs."""

from collections.abc import Sequence
from typing import Any

from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.evaluation.counting import BACKENDS, box_objects, count_matches, mask_objects
from yolact_pl.evaluation.ground_truth import CocoObjects, GroundTruth
from yolact_pl.evaluation.metrics import AveragePrecision, CocoMetrics, summarize
from yolact_pl.evaluation.per_image import PerImageMetric
from yolact_pl.results.detections import Detections
from yolact_pl.results.encoding import ImageResults, encode_detections


class CocoAveragePrecision(PerImageMetric):
    """COCO's AP and AR of boxes and masks, as `pycocotools.cocoeval` computes them, on the images seen.

    In a LightningModule: `self.ap.update(image_ids, detections)` per validation batch, then
    `self.log_dict(self.ap.compute().scalars("val/"))` at the end of the epoch, and `self.ap.reset()`.

    Args:
        annotations: of the data set; measured is against the outlines that training learns.
        backend: the library that counts: "faster_coco_eval", or "pycocotools", which is slower and the
            reference.
        options: of `torchmetrics.Metric`.

    Raises:
        ValueError: another backend.
    """

    higher_is_better = True

    def __init__(
        self, annotations: Annotations, *, backend: str = "faster_coco_eval", **options: Any
    ) -> None:
        super().__init__(annotations, **options)
        if backend not in BACKENDS:
            raise ValueError(f"backend={backend!r} is not known; choose one of {', '.join(BACKENDS)}")
        self.backend = backend
        self.ground_truth = GroundTruth(annotations)

    def update(self, image_ids: Sequence[int], detections: Sequence[Detections]) -> None:
        """Take the detections of some images, in pixels of the original images; masks are encoded at once.

        Raises:
            ValueError: an image id that the annotations do not have.
        """
        for image_id, found in zip(image_ids, detections, strict=True):
            self.index_of(image_id)  # raises
            self.rows.append(encode_detections(image_id, found, self.annotations.category_ids))

    def summarize(self, rows: Sequence[ImageResults]) -> CocoMetrics:
        """AP and AR on the images of the rows; an image without detections is one where nothing was found.

        Raises:
            ValueError: the annotation file has no annotations.
        """
        if not self.annotations.has_ground_truth:
            raise ValueError(
                f"{self.annotations.path} has no annotations to measure against; write the results instead"
            )
        indices = [self.index_of(row.image_id) for row in rows]
        truth = [obj for i in indices for obj in self.ground_truth.objects(i)]
        images = [{"id": row.image_id, "height": row.size[0], "width": row.size[1]} for row in rows]

        def average_precision(kind: str, found: CocoObjects) -> AveragePrecision:
            precision, recall = count_matches(
                kind,
                truth,
                found,
                images=images,
                category_ids=self.annotations.category_ids,
                backend=self.backend,
            )
            return summarize(precision, recall, self.annotations.class_names)

        return CocoMetrics(
            box=average_precision("bbox", box_objects(rows)),
            mask=average_precision("segm", mask_objects(rows)),
            num_images=len(rows),
        )
