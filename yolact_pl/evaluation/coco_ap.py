"""COCO average precision: boxes ranked by their scores, masks by theirs."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from yolact_pl.evaluation.counting import BACKENDS, Objects, box_objects, count_matches, mask_objects
from yolact_pl.evaluation.ground_truth import Annotations, prepare_objects, read_annotations, select
from yolact_pl.evaluation.metrics import AveragePrecision, CocoMetrics, summarize
from yolact_pl.results.detections import Detections
from yolact_pl.results.encoding import ImageResults, encode_detections


class CocoEvaluator:
    """Collect detections image by image and measure them against a COCO annotation file.

    Masks are run-length encoded as they come. `rows` of several processes can be gathered and concatenated;
    of an image that occurs twice the first counts.

    Args:
        annotations: the file, or its content.
        category_ids: the id in the file of each label.
        class_names: the name of each label.
        backend: who counts: "faster_coco_eval", or "pycocotools", which is slower and the reference.
        image_ids: the only images of the file that matter; None: all.
        rows: the only annotations that matter, by their place in the file's list; None: all.
    """

    def __init__(
        self,
        annotations: Path | str | Annotations,
        category_ids: Sequence[int],
        class_names: Sequence[str],
        *,
        backend: str = "faster_coco_eval",
        image_ids: Iterable[int] | None = None,
        rows: Iterable[int] | None = None,
    ) -> None:
        if backend not in BACKENDS:
            raise ValueError(f"backend={backend!r} is not known; choose one of {', '.join(BACKENDS)}")
        self.category_ids = list(category_ids)
        self.class_names = list(class_names)
        self.backend = backend
        self.rows: list[ImageResults] = []
        self._content = select(
            read_annotations(annotations), self.category_ids, image_ids=image_ids, rows=rows
        )

    @property
    def has_ground_truth(self) -> bool:
        """False for a test set, whose file only names the images: its results are written, not measured."""
        return "annotations" in self._content

    @cached_property
    def _objects(self) -> Objects:
        return prepare_objects(self._content)

    def add(self, image_id: int, detections: Detections) -> None:
        """Take the detections of one image, in pixels of the original image."""
        self.rows.append(encode_detections(image_id, detections, self.category_ids))

    def reset(self) -> None:
        """Forget all that was added."""
        self.rows = []

    def evaluate(
        self, rows: Iterable[ImageResults] | None = None, *, image_ids: Iterable[int] | None = None
    ) -> CocoMetrics:
        """Measure the collected results, or `rows` if they are given.

        Args:
            rows: such as the concatenated `rows` of several processes.
            image_ids: the images to measure on; all of the file if None. Where an image has no results,
                nothing was found.

        Raises:
            ValueError: the file has no annotations, or results belong to an image that is not in it.
        """
        if not self.has_ground_truth:
            raise ValueError(
                "the annotation file has no annotations to measure against; write the results instead"
            )
        results = unique_images(self.rows if rows is None else rows)
        known = {image["id"] for image in self._content["images"]}
        measured = known if image_ids is None else set(image_ids)
        for image_id in [*measured, *(row.image_id for row in results)]:
            if image_id not in known:
                raise ValueError(f"image id {image_id} is not in the annotation file: it is of another set")
        results = [row for row in results if row.image_id in measured]
        return CocoMetrics(
            box=self._average_precision("bbox", box_objects(results), measured),
            mask=self._average_precision("segm", mask_objects(results), measured),
            num_images=len(measured),
        )

    def _average_precision(self, kind: str, found: Objects, image_ids: set[int]) -> AveragePrecision:
        precision, recall = count_matches(
            kind,
            self._objects,
            found,
            images=[image for image in self._content["images"] if image["id"] in image_ids],
            category_ids=self.category_ids,
            backend=self.backend,
        )
        return summarize(precision, recall, self.class_names)


def unique_images(rows: Iterable[ImageResults]) -> list[ImageResults]:
    """Without images that occur again: samplers repeat some so that all processes get equally many."""
    first: dict[int, ImageResults] = {}
    for row in rows:
        first.setdefault(row.image_id, row)
    return list(first.values())
