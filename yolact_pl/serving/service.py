"""Images to answers: one model behind a queue."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from anyio import to_thread
from fastapi import HTTPException
from numpy.typing import NDArray

from yolact_pl.inference.model import ONE_LABEL, Model
from yolact_pl.inference.options import Options
from yolact_pl.inference.predictor import Predictor
from yolact_pl.results.detections import Detections
from yolact_pl.results.image_detections import ImageDetections
from yolact_pl.serving.analysis import MAX_CANDIDATES, analysis
from yolact_pl.serving.batching import BatchingQueue, FrameReplaced, QueueFull

MAX_WAITING = 64
NO_SUPPRESSION = 1.0
"""An IoU that none exceeds."""


class Job(NamedTuple):
    """An image and with which options it is predicted."""

    image: NDArray[np.uint8]
    predictor: Predictor


class Service:
    """Answers for the page and for programs.

    Args:
        model: any engine.
        name: of the model, such as its file's.
        batch_size: images that go through the network together, if so many wait.
    """

    def __init__(self, model: Model, *, name: str, batch_size: int) -> None:
        self.model = model
        self.name = name
        self.queue: BatchingQueue[Job, Detections] = BatchingQueue(
            _predict, batch_size=batch_size, max_waiting=MAX_WAITING
        )

    def describe(self) -> dict[str, Any]:
        """What a client should know of the model."""
        predictor = self.model.predictor
        return {
            "name": self.name,
            "engine": predictor.engine.name,
            "device": predictor.engine.device,
            "precision": predictor.engine.precision,
            "image_size": list(predictor.image_size),
            "resize": predictor.resize.mode,
            "class_names": list(self.model.class_names),
            "category_ids": list(self.model.category_ids),
            "min_score": predictor.request.min_score,
            "iou_threshold": predictor.request.iou_threshold,
            "nms": predictor.request.nms,
        }

    async def analyze(self, image: NDArray[np.uint8], min_score: float, stream: str | None) -> bytes:
        """The json of `analysis`.

        Raises:
            ValueError: the model's file has no prototypes, or a wrong option.
            HTTPException: see `_found`.
        """
        predictor = _for_candidates(self.model.predictor, min_score)
        found = await self._found(Job(image, predictor), stream)
        return await to_thread.run_sync(self._analysis, found, predictor)

    async def predict(self, image: NDArray[np.uint8], options: Options, *, picture: bool) -> bytes:
        """The drawn image as PNG, or what was found as COCO json with scores.

        Raises:
            ValueError: a wrong option.
            HTTPException: see `_found`.
        """
        found = await self._found(Job(image, self.model.predictor.with_options(**options)), None)
        named = ImageDetections(found, self.model.class_names, self.model.category_ids)
        return (
            await to_thread.run_sync(_png, named, image)
            if picture
            else await to_thread.run_sync(_coco, named)
        )

    async def _found(self, job: Job, stream: str | None) -> Detections:
        """Raises:
        HTTPException: 503, too many wait, or the memory is used up; 409, a newer frame came in between.
        """
        try:
            return await self.queue.submit(job, stream)
        except QueueFull:
            raise HTTPException(
                503, "too many requests wait: try again later", {"Retry-After": "1"}
            ) from None
        except FrameReplaced:
            raise HTTPException(409, "a newer frame of the stream took the place of this one") from None
        except job.predictor.engine.meter.out_of_memory:
            raise HTTPException(
                503, "the memory does not suffice for this image: send a smaller one"
            ) from None

    def _analysis(self, found: Detections, predictor: Predictor) -> bytes:
        placement = predictor.placement(found.size)
        values = analysis(
            found,
            input_size=predictor.image_size if placement is None else placement.canvas,
            class_names=self.model.class_names,
            category_ids=self.model.category_ids,
            iou_threshold=predictor.request.iou_threshold,
        )
        return json.dumps(values).encode()


def _for_candidates(predictor: Predictor, min_score: float) -> Predictor:
    """A predictor that suppresses nothing, or what its file suppresses anyway.

    Raises:
        ValueError: a wrong `min_score`, or a file without prototypes.
    """
    try:
        free = predictor.with_options(
            nms=ONE_LABEL, iou_threshold=NO_SUPPRESSION, min_score=min_score, top_k=MAX_CANDIDATES
        )
    except ValueError:
        free = predictor.with_options(min_score=max(min_score, predictor.engine.score_threshold), top_k=None)
    return free.with_parts()


def _predict(jobs: Sequence[Job]) -> list[Detections]:
    first = jobs[0].predictor
    outputs = first.forward([first.prepare([job.image for job in jobs])])
    return [job.predictor.detect(outputs, k, job.image.shape[:2]) for k, job in enumerate(jobs)]


def _png(found: ImageDetections, image: NDArray[np.uint8]) -> bytes:
    picture = cv2.cvtColor(found.draw(image), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", picture)[1].tobytes()


def _coco(found: ImageDetections) -> bytes:
    """One image with its annotations and their scores, which pycocotools reads as it is."""
    height, width = found.size
    areas = found.areas.tolist()
    annotations = [
        {"id": k + 1, **row, "area": areas[k], "iscrowd": 0}
        for k, row in enumerate(found.to_coco(image_id=1))
    ]
    categories = [
        {"id": number, "name": name}
        for number, name in zip(found.category_ids, found.class_names, strict=True)
    ]
    images = [{"id": 1, "file_name": "", "height": height, "width": width}]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories}).encode()
