import numpy as np
import pytest
import torch

from yolact_pl.inference.options import Options
from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.stages import Stages
from yolact_pl.models.anchors import Anchors
from yolact_pl.models.resnet import ResNet
from yolact_pl.models.yolact import Yolact
from yolact_pl.postprocess import Postprocess
from yolact_pl.structures import Detections


def small_predictor() -> Predictor:
    torch.manual_seed(0)
    backbone = ResNet((1, 1, 1, 1), block="basic")
    anchors = Anchors([12, 24, 48, 64, 80], [1.0, 0.5])
    network = Yolact(backbone, anchors, num_classes=3, channels=16, num_prototypes=8, mask_iou=True)
    postprocess = Postprocess(score_threshold=0.0, max_detections=9)
    names = ["disc", "star", "ring"]
    return Predictor(network, postprocess, class_names=names, image_size=(64, 96), device="cpu")


def two_images() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((50, 40), (33, 120))]


def step_by_step(stages: Stages, images: list[np.ndarray]) -> list[Detections]:
    predictions = stages.predict(stages.to_input(images))
    return [
        stages.finish(predictions, i, stages.choose(predictions, i), image.shape[:2])
        for i, image in enumerate(images)
    ]


@pytest.mark.parametrize(
    ("options", "most"),
    [({}, 9), ({"top_k": 3}, 3), ({"classes": ["star"], "top_k": 12}, 12), ({"min_score": 0.52}, 5)],
)
def test_the_steps_together_are_the_predictors_call(options: Options, most: int) -> None:
    predictor = small_predictor().with_options(**options)
    images = two_images()
    called = predictor(images)
    assert 0 < max(len(found["scores"]) for found in called) <= most
    for found, expected in zip(step_by_step(Stages(predictor), images), called, strict=True):
        for key in expected:
            torch.testing.assert_close(found[key], expected[key], rtol=0, atol=0)


def test_precision_is_the_networks_only() -> None:
    predictor = small_predictor()
    images = two_images()
    exact, rounded = (Stages(predictor, precision=p) for p in (torch.float32, torch.bfloat16))
    assert rounded.predict(rounded.to_input(images)).class_logits.dtype == torch.bfloat16
    assert exact.predict(exact.to_input(images)).class_logits.dtype == torch.float32
    assert step_by_step(rounded, images)[0]["scores"].dtype == torch.float32
