import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.results.same import assert_same
from yolact_pl.inference.engines.torch_engine import TorchEngine, resolve_device, torch_predictor
from yolact_pl.inference.options import Options
from yolact_pl.inference.predictor import Predictor
from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.resnet import ResNet
from yolact_pl.models.yolact import Yolact
from yolact_pl.postprocess import Postprocess

NAMES = ["disc", "star", "ring"]


def small_network(*, mask_iou: bool = False) -> Yolact:
    torch.manual_seed(0)
    backbone = ResNet((1, 1, 1, 1), block="basic")
    anchors = Anchors([12, 24, 48, 64, 80], [1.0, 0.5])
    return Yolact(backbone, anchors, num_classes=3, channels=32, num_prototypes=8, mask_iou=mask_iou)


def small_predictor(*, mask_iou: bool = False, resize: str = "stretch", **options: Any) -> Predictor:
    return torch_predictor(
        small_network(mask_iou=mask_iou),
        Postprocess(score_threshold=0.0, max_detections=5),
        class_names=NAMES,
        image_size=(64, 96),
        resize=resize,
        device="cpu",
        **options,
    )


def engine_of(predictor: Predictor) -> TorchEngine:
    assert isinstance(predictor.engine, TorchEngine)
    return predictor.engine


def random_images(*sizes: tuple[int, int]) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in sizes]


def plain_bilinear(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixel centres at half numbers, edges repeated, no smoothing: one axis after the other."""
    out = image.astype(np.float64)
    for axis, new in enumerate(size):
        old = out.shape[axis]
        place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, old - 1)
        weight = (place - low).reshape([-1 if i == axis else 1 for i in range(3)])
        out = out.take(low, axis) * (1 - weight) + out.take(high, axis) * weight
    return out


def test_network_sees_the_stretched_pictures() -> None:
    predictor = small_predictor()
    seen = []

    def keep(network: nn.Module, inputs: tuple[Tensor]) -> None:
        assert torch.is_inference_mode_enabled()
        assert not network.training
        seen.append(inputs[0])

    engine_of(predictor).network.register_forward_pre_hook(keep)
    images = random_images((50, 40), (200, 31))
    predictor(images)
    (batch,) = seen
    assert batch.shape == (2, 3, 64, 96)
    assert batch.dtype == torch.float32
    for one, image in zip(batch, images, strict=True):
        np.testing.assert_allclose(one.permute(1, 2, 0), plain_bilinear(image, (64, 96)), atol=1e-2)


def test_detections_are_in_pixels_of_each_image() -> None:
    sizes = [(50, 40), (64, 96), (7, 130)]
    found = small_predictor()(random_images(*sizes))
    assert len(found) == 3
    for detections, (height, width) in zip(found, sizes, strict=True):
        assert len(detections.scores) > 0
        assert detections.masks.shape == (len(detections.scores), height, width)
        assert detections.boxes.min() >= 0
        assert detections.boxes[:, 2].max() <= width
        assert detections.boxes[:, 3].max() <= height
        assert (detections.boxes[:, 2] > 1).any()


def test_a_batch_gives_what_single_images_give() -> None:
    predictor = small_predictor()
    images = random_images((50, 40), (64, 96))
    for image, together in zip(images, predictor(images), strict=True):
        (alone,) = predictor([image])
        assert together.labels.tolist() == alone.labels.tolist()
        np.testing.assert_allclose(together.scores, alone.scores, rtol=1e-5)
        np.testing.assert_allclose(together.boxes, alone.boxes, rtol=1e-5)


def test_mask_iou_network_scores_the_masks() -> None:
    images = random_images((50, 40))
    (plain,) = small_predictor()(images)
    (rescored,) = small_predictor(mask_iou=True)(images)
    assert np.array_equal(plain.mask_scores, plain.scores)
    assert not np.array_equal(rescored.mask_scores, rescored.scores)


def test_min_score_leaves_out_the_rest() -> None:
    images = random_images((50, 40))
    (everything,) = small_predictor()(images)
    middle = float(np.median(everything.scores))
    (some,) = small_predictor(min_score=middle)(images)
    assert 0 < len(some.scores) < len(everything.scores)
    assert some.scores.min() > middle


def test_min_score_auto_is_another_one_for_each_class() -> None:
    images = random_images((50, 40))
    (everything,) = small_predictor().with_options(top_k=30)(images)
    thresholds = [0.99, float(np.median(everything.scores)), 0.0]
    predictor = small_predictor(class_thresholds=thresholds)
    kept = everything[everything.scores > np.array(thresholds, np.float32)[everything.labels]]
    assert 3 < len(kept) < len(everything)
    assert set(kept.labels.tolist()) == {1, 2}
    for auto in (predictor.with_options(min_score="auto", top_k=3), predictor.with_options(top_k=3)):
        (found,) = auto.with_options(min_score="auto")(images)
        assert_same(found, kept[:3])
    (found,) = predictor.with_options(min_score="auto").with_options(min_score=0.0, top_k=30)(images)
    assert_same(found, everything)


def test_min_score_auto_needs_measured_scores() -> None:
    with pytest.raises(ValueError, match=r"python run\.py task=eval checkpoint=FILE save_thresholds=true"):
        small_predictor(min_score="auto")


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize(
    ("options", "most"),
    [({}, 5), ({"top_k": 3}, 3), ({"classes": ["star"], "top_k": 12}, 12), ({"min_score": 0.52}, 5)],
)
def test_the_steps_together_are_the_call(options: Options, most: int, resize: str) -> None:
    predictor = small_predictor(mask_iou=True, resize=resize).with_options(**options)
    images = random_images((50, 40), (33, 120))
    called = predictor(images)
    assert 0 < max(len(found.scores) for found in called) <= most
    predictions = predictor.forward([predictor.prepare(images)])
    engine = engine_of(predictor)
    for index, (image, expected) in enumerate(zip(images, called, strict=True)):
        placement = predictor.placement(image.shape)
        chosen = engine.choose(predictions, index, placement, predictor.request)
        found = engine.finish(predictions, index, chosen).on_cpu()
        assert_same(found.in_image(image.shape[:2], placement), expected)


@pytest.mark.usefixtures("bfloat16_cpu")
def test_half_precision_is_the_networks_only() -> None:
    predictor = torch_predictor(
        small_network(), Postprocess(), class_names=NAMES, image_size=(64, 96), device="cpu", half=True
    )
    assert (predictor.engine.name, predictor.engine.precision, predictor.engine.device) == (
        "torch",
        "bfloat16",
        "cpu",
    )
    predictions = predictor.forward([predictor.prepare(random_images((50, 40)))])
    assert predictions.class_logits.dtype == torch.bfloat16
    assert predictor.detect(predictions, 0, (50, 40)).scores.dtype == np.float32


def test_threads_may_share_a_predictor() -> None:
    predictor = small_predictor()
    images = random_images(*[(40 + i, 60 - i) for i in range(6)])
    expected = [predictor([image])[0].scores for image in images]
    found: dict[int, np.ndarray] = {}

    def work(index: int) -> None:
        for _ in range(3):
            found[index] = predictor([images[index]])[0].scores

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, scores in enumerate(expected):
        np.testing.assert_allclose(found[index], scores, rtol=1e-5)


def test_read_only_and_flipped_arrays_are_taken_and_not_changed() -> None:
    predictor = small_predictor()
    (image,) = random_images((50, 40))
    flipped = image[:, ::-1]
    locked = flipped.copy()
    locked.setflags(write=False)
    before = image.copy()
    np.testing.assert_allclose(predictor([flipped])[0].scores, predictor([locked])[0].scores, rtol=1e-5)
    assert (image == before).all()


def test_no_images_give_no_detections() -> None:
    assert small_predictor()([]) == []


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused_with_their_place_and_shape(image: np.ndarray) -> None:
    (good,) = random_images((8, 8))
    with pytest.raises(
        ValueError, match=r"image 1 is .*shape \(.*expected uint8 of shape \(height, width, 3\)"
    ):
        small_predictor()([good, image])


def test_names_must_fit_the_network() -> None:
    with pytest.raises(ValueError, match="3 classes but 2 class names"):
        torch_predictor(
            small_network(), Postprocess(), class_names=["a", "b"], image_size=(64, 64), device="cpu"
        )


def test_device() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device(torch.device("meta")) == torch.device("meta")
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert resolve_device("auto").type == expected
