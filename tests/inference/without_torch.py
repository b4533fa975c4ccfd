"""The way of an image through predictors whose engine is not torch's; run where torch cannot be imported."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from PIL import Image

import yolact_pl
from tests.inference.exported.drawn_graph import drawn_metadata, write_onnx
from yolact_pl.images.placement import Placement, Resize
from yolact_pl.inference.measuring.benchmark import measure_stages
from yolact_pl.inference.measuring.timing import Meter
from yolact_pl.inference.model import Model
from yolact_pl.inference.options import Request
from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.video import Frame, SeenFrame, predict_video
from yolact_pl.inference.writing.results_file import plain_result
from yolact_pl.results.detections import Detections
from yolact_pl.results.input_detections import InputDetections


class OneObject:
    """An engine that finds one object in the middle of every image, with all steps in its file."""

    name, precision, device = "by hand", "float32", "cpu"
    num_classes, score_threshold = 2, 0.05
    usual = Request(nms="fast", iou_threshold=0.5)
    meter = Meter()

    def check(self, request: Request) -> None:
        if request.nms != "fast":
            raise ValueError("this file has fast NMS inside")

    def prepare(self, images: Sequence[np.ndarray], placements: Sequence[Placement]) -> Any:
        return np.zeros((len(images), *placements[0].canvas, 3), dtype=np.uint8)

    def forward(self, inputs: Sequence[Any]) -> Any:
        return np.concatenate(list(inputs))

    def detect(
        self, outputs: Any, index: int, size: tuple[int, int], placement: Placement | None, request: Request
    ) -> Detections:
        found = InputDetections(
            boxes=np.array([[16, 16, 48, 48]], dtype=np.float32),
            scores=np.array([0.9], dtype=np.float32),
            mask_scores=np.array([0.8], dtype=np.float32),
            labels=np.array([1]),
            masks=np.ones((1, 16, 16), dtype=np.float32),
            input_size=outputs[index].shape[:2],
        ).in_image(size, placement)
        return found[found.scores > (request.min_score or 0)][: request.top_k]


image = np.random.default_rng(0).integers(0, 256, (100, 200, 3), dtype=np.uint8)
predictor = Predictor(OneObject(), class_names=["cat", "dog"], resize=Resize("letterbox", (64, 64)))
model = Model(predictor, category_ids=[3, 7])
with TemporaryDirectory() as folder:
    path = Path(folder) / "image.png"
    Image.fromarray(image).save(path)
    for given in (path, image, Image.open(path)):
        found = model(given)
        assert found.names == ["dog"]
        assert found.boxes.tolist() == [[50, 0, 150, 100]]
        assert found.masks.shape == (1, 100, 200)
    assert model([path, image], min_score=0.95)[1].names == []
assert (found.draw(image) != image).any()
assert found.to_coco()[0]["category_id"] == 7
assert len(found.to_polygons()[0][0]) == 4
assert plain_result("image.png", found.detections, model.class_names)["detections"][0]["name"] == "dog"
assert len(model.tiled(image, tile=80)) >= 1
seen: list[SeenFrame] = []
predict_video([Frame(n, n / 25, image) for n in range(3)], predictor, seen.append)
assert [len(frame.detections) for frame in seen] == [1, 1, 1]
assert measure_stages(predictor, [lambda: image] * 2, warmup=0).detections == [1, 1]
with pytest.raises(ValueError, match="this file has fast NMS inside"):
    model(image, nms="exact")

with TemporaryDirectory() as folder:
    exported = yolact_pl.load(write_onnx(Path(folder) / "model.onnx", drawn_metadata()))
    assert exported([image, image])[1].names == ["dög", "cat"]
    seen.clear()
    predict_video([Frame(n, n / 25, image) for n in range(3)], exported.predictor, seen.append)
    assert [len(frame.detections) for frame in seen] == [2, 2, 2]
    with pytest.raises(ValueError, match=r"a\.ckpt is no exported file: a checkpoint needs torch"):
        yolact_pl.load(Path(folder) / "a.ckpt")
