import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.fake_gpu import FakeGpu
from tests.parity.weights import fill
from tests.results.same import assert_same
from yolact_pl.geometry.boxes import cxcywh_to_xyxy
from yolact_pl.models.mask_iou import MaskIouNet
from yolact_pl.postprocess import Chosen, Postprocess
from yolact_pl.results.detections import Detections
from yolact_pl.structures import Predictions

PARITY = Path(__file__).parent / "parity"
MODES = {"fast": "fast", "cross": "cross_class", "trad": "exact"}
CASES = ("detect_base_a", "detect_plus_a")


def load(case: str) -> tuple[dict[str, Any], Predictions]:
    with np.load(PARITY / f"{case}.npz", allow_pickle=False) as file:
        recorded = dict(file)

    def tensor(key: str) -> Tensor:
        return torch.from_numpy(recorded[key]).float()

    size = int(recorded["max_size"])
    predictions = Predictions(
        class_logits=tensor("pred_conf").log(),  # softmax(log p) = p
        box_deltas=tensor("pred_loc"),
        coefficients=tensor("pred_mask"),
        prototypes=tensor("pred_proto").permute(0, 3, 1, 2),
        anchors=cxcywh_to_xyxy(tensor("priors")) * size,
        semantic_logits=None,
        image_size=(size, size),
    )
    return recorded, predictions


def mask_iou_network(num_classes: int) -> MaskIouNet:
    """With the recipe's weights under their published names."""
    network = MaskIouNet(num_classes)
    for n, convolution in enumerate([*network.convs, network.ious]):
        for name, parameter in convolution.named_parameters():
            value = fill(f"maskiou_net.maskiou_net.{2 * n}.{name}", parameter.shape)
            parameter.data = torch.from_numpy(value)
    return network


@pytest.mark.parametrize("rescored", [False, True])
def test_mask_confidence_is_the_mean_probability_in_the_mask(rescored: bool) -> None:
    _, predictions = load("detect_base_a")
    network = mask_iou_network(predictions.class_logits.shape[2] - 1) if rescored else None
    postprocess = Postprocess(mask_confidence=True)
    chosen = postprocess.choose(predictions, 0)
    plain = Postprocess().finish(predictions, 0, chosen, network)
    found = postprocess.finish(predictions, 0, chosen, network)
    assert torch.equal(found.scores, plain.scores)
    h, w = plain.masks.shape[1:]
    scale = w / predictions.image_size[1]
    assert len(chosen.boxes) > 3
    for n, (x1, y1, x2, y2) in enumerate((chosen.boxes * scale).tolist()):
        inside = [
            float(plain.masks[n, y, x])
            for y in range(h)
            for x in range(w)
            if x1 - 1 <= x < x2 + 1 and y1 - 1 <= y < y2 + 1 and plain.masks[n, y, x] > 0.5
        ]
        mean = sum(inside) / len(inside) if inside else 0.0
        assert float(found.mask_scores[n]) == pytest.approx(mean * float(plain.mask_scores[n]), rel=1e-4)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mode", ["fast", "cross"])
def test_detection_parity(case: str, mode: str) -> None:
    recorded, predictions = load(case)
    postprocess = Postprocess(nms=MODES[mode], whole_pixel_boxes=False)
    size = predictions.image_size[0]
    images = postprocess(predictions, [(size, size)] * len(predictions.class_logits))
    for i, found in enumerate(images):
        if recorded[f"{mode}{i}_is_none"]:
            assert len(found) == 0
            continue
        np.testing.assert_array_equal(found.labels, recorded[f"{mode}{i}_class"])
        np.testing.assert_allclose(found.scores, recorded[f"{mode}{i}_score"], atol=1e-6)
        np.testing.assert_allclose(found.boxes / size, recorded[f"{mode}{i}_box"].clip(0, 1), atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_exact_nms_agrees_with_the_published_traditional_one_but_for_few(case: str) -> None:
    recorded, predictions = load(case)
    size = predictions.image_size[0]
    images = Postprocess(nms="exact")(predictions, [(size, size)] * len(predictions.class_logits))
    for i, found in enumerate(images):
        if recorded[f"trad{i}_is_none"]:
            assert len(found) == 0
            continue
        ours = set(zip(found.labels.tolist(), found.scores.round(5).tolist(), strict=True))
        scores = recorded[f"trad{i}_score"].round(5).tolist()
        theirs = set(zip(recorded[f"trad{i}_class"].tolist(), scores, strict=True))
        assert len(ours & theirs) >= len(theirs) - 1


@pytest.mark.parametrize("case", CASES)
def test_original_size_parity(case: str) -> None:
    recorded, predictions = load(case)
    mask_iou = mask_iou_network(predictions.class_logits.shape[2] - 1) if case == "detect_plus_a" else None
    for meta in json.loads(str(recorded["post_meta"])):
        key = f"post{meta['index']}_"
        sizes = [(meta["h"], meta["w"])] * len(predictions.class_logits)
        postprocess = Postprocess(nms=MODES[meta["mode"]])
        found = postprocess(predictions, sizes, mask_iou, min_score=meta["score_threshold"])[meta["image"]]
        np.testing.assert_array_equal(found.labels, recorded[key + "classes"])
        if len(found) == 0:
            continue
        shape = recorded[key + "masks_shape"]
        masks = np.unpackbits(recorded[key + "masks_packed"])[: shape.prod()].reshape(shape).astype(bool)
        assert (found.masks != masks).mean() <= 1e-6
        np.testing.assert_array_equal(found.boxes, recorded[key + "boxes"])
        if mask_iou is None:
            np.testing.assert_allclose(found.scores, recorded[key + "scores"], atol=1e-6)
            assert np.array_equal(found.mask_scores, found.scores)
        else:
            np.testing.assert_allclose(found.scores, recorded[key + "box_scores"], atol=1e-6)
            np.testing.assert_allclose(found.mask_scores, recorded[key + "mask_scores"], atol=1e-5)


def single(logits: list[float], deltas: list[float], anchor: list[float]) -> Predictions:
    """One anchor, one prototype that is positive everywhere, network input 100 x 100."""
    return Predictions(
        class_logits=torch.tensor([[logits]]),
        box_deltas=torch.tensor([[deltas]]),
        coefficients=torch.ones(1, 1, 1),
        prototypes=torch.full((1, 1, 25, 25), 3.0),
        anchors=torch.tensor([anchor]),
        semantic_logits=None,
        image_size=(100, 100),
    )


def detect(predictions: Predictions, **options: Any) -> Detections:
    return Postprocess(**options)(predictions, [(50, 200)])[0]


def test_boxes_and_masks_are_in_pixels_of_the_original_image() -> None:
    # Input 100 x 100 to 200 wide and 50 high: x doubles, y halves.
    predictions = single([0.0, 9.0], [0.0] * 4, [20.25, 40.0, 61.0, 80.0])
    found = detect(predictions)
    assert found.boxes.tolist() == [[40.0, 20.0, 122.0, 40.0]]
    assert detect(predictions, whole_pixel_boxes=False).boxes.tolist() == [[40.5, 20.0, 122.0, 40.0]]
    rows, columns = found.masks[0].nonzero()
    # One prototype pixel (8 x 2 original ones) more than the box at most.
    assert 32 <= columns.min() <= 40
    assert 122 <= columns.max() + 1 <= 136
    assert 18 <= rows.min() <= 20
    assert 40 <= rows.max() + 1 <= 44


def test_boxes_are_cut_at_the_image() -> None:
    found = detect(single([0.0, 9.0], [0.0] * 4, [-30.0, -30.0, 150.0, 130.0]))
    assert found.boxes.tolist() == [[0.0, 0.0, 200.0, 50.0]]
    assert found.masks.all()
    outside = detect(single([0.0, 9.0], [0.0] * 4, [150.0, 10.0, 170.0, 30.0]))
    assert outside.boxes.tolist() == [[200.0, 5.0, 200.0, 15.0]]
    assert not outside.masks.any()


@pytest.mark.parametrize("nms", ["fast", "cross_class", "exact"])
def test_nothing_above_the_threshold(nms: str) -> None:
    found = detect(single([9.0, 0.0], [0.0] * 4, [20.0, 40.0, 60.0, 80.0]), nms=nms)
    names = ("boxes", "scores", "mask_scores", "labels", "masks")
    assert [getattr(found, name).shape for name in names] == [(0, 4), (0,), (0,), (0,), (0, 50, 200)]
    assert found.masks.dtype == np.bool_


@pytest.mark.parametrize("nms", ["fast", "cross_class", "exact"])
@pytest.mark.parametrize("delta", [1e38, -1e38, float("inf"), float("-inf"), float("nan")])
def test_extreme_deltas_give_finite_boxes_inside_of_the_image(nms: str, delta: float) -> None:
    for deltas in ([delta, 0, 0, 0], [0, 0, delta, delta], [delta] * 4):
        found = detect(single([0.0, 9.0], deltas, [20.0, 40.0, 60.0, 80.0]), nms=nms)
        assert len(found.scores) == 1
        boxes = found.boxes[0]
        assert ((boxes >= 0) & (boxes <= np.array([200.0, 50.0, 200.0, 50.0]))).all()


def test_logits_that_are_not_numbers_find_nothing() -> None:
    assert len(detect(single([0.0, float("nan")], [0.0] * 4, [20.0, 40.0, 60.0, 80.0])).scores) == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_reduced_precision_predictions_are_computed_in_float32(dtype: torch.dtype) -> None:
    _, predictions = load("detect_base_a")
    reduced = predictions._replace(
        **{
            name: getattr(predictions, name).to(dtype)
            for name in ("class_logits", "box_deltas", "coefficients", "prototypes")
        }
    )
    widened = predictions._replace(
        **{name: getattr(reduced, name).float() for name in ("class_logits", "box_deltas", "coefficients")},
        prototypes=reduced.prototypes.float(),
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        a = Postprocess()(reduced, [(60, 80)] * 3)
    for x, y in zip(a, Postprocess()(widened, [(60, 80)] * 3), strict=True):
        assert_same(x, y)


def test_mask_iou_network_of_reduced_precision() -> None:
    _, predictions = load("detect_plus_a")
    network = mask_iou_network(predictions.class_logits.shape[2] - 1)
    sizes = [(60, 80)]
    full = Postprocess()(predictions, sizes, network)[0].mask_scores
    half = Postprocess()(predictions, sizes, network.bfloat16())[0].mask_scores
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, full, atol=0.02, rtol=0.05)


def test_options_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="nms='soft' is not known; choose one of fast, cross_class, exact"):
        Postprocess(nms="soft")
    with pytest.raises(ValueError, match="score_threshold=1"):
        Postprocess(score_threshold=1)


def test_masks_are_made_without_waiting_for_the_gpu() -> None:
    generator = torch.Generator().manual_seed(0)
    on_cpu = (
        torch.arange(5),
        100 * torch.rand(5, 4, generator=generator),
        torch.arange(5) % 3,
        torch.rand(5, generator=generator),
    )
    with FakeGpu():

        def tensor(*shape: int) -> Tensor:
            return torch.zeros(*shape, device="cuda")

        network = mask_iou_network(3).to("cuda", non_blocking=True)
        predictions = Predictions(
            class_logits=tensor(1, 9, 4),
            box_deltas=tensor(1, 9, 4),
            coefficients=tensor(1, 9, 8),
            prototypes=tensor(1, 8, 64, 96),
            anchors=tensor(9, 4),
            semantic_logits=None,
            image_size=(64, 96),
        )
        chosen = Chosen(*(part.to("cuda", non_blocking=True) for part in on_cpu))
        found = Postprocess().finish(predictions, 0, chosen, network)
    assert found.masks.shape == (5, 64, 96)
    assert found.mask_scores.device.type == found.boxes.device.type == "cuda"
