"""The engine of exported models against torch's, on the same network."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.inference.exported.test_metadata import metadata
from tests.inference.test_predictor import engine_of, random_images, small_network
from yolact_pl.geometry.masks import assemble_masks
from yolact_pl.images.placement import MODES, STRETCH, Resize
from yolact_pl.inference.engines.exported_engine import ExportedEngine
from yolact_pl.inference.engines.torch_engine import TorchEngine, torch_predictor
from yolact_pl.inference.exported.metadata import ExportError, ExportMetadata
from yolact_pl.inference.measuring.timing import Meter
from yolact_pl.inference.options import Request
from yolact_pl.inference.predictor import Predictor
from yolact_pl.postprocess import Postprocess
from yolact_pl.results.detections import Detections

NAMES = ("disc", "star", "ring")
SIZE = (64, 96)
SIZES = [(50, 120), (200, 30), (64, 96), (3, 5), (1, 1)]
D = 40


class TorchSession:
    """What the graph of an export computes, step by step with torch's postprocess."""

    name, device, meter = "by torch", "cpu", Meter()

    def __init__(self, engine: TorchEngine, about: ExportMetadata) -> None:
        self.engine = engine
        self.metadata = about

    @torch.inference_mode()
    def run(self, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        assert images.dtype == self.metadata.input
        predictions = self.engine.network(torch.from_numpy(images).permute(0, 3, 1, 2).float())
        postprocess = self.engine.postprocess
        rows: list[dict[str, NDArray[Any]]] = []
        for i, prototypes in enumerate(predictions.prototypes):
            chosen = postprocess.choose(predictions, i)
            found = postprocess.finish(predictions, i, chosen, self.engine.network.mask_iou)
            coefficients = predictions.coefficients[i, chosen.anchors]
            values = {
                "boxes": found.boxes,
                "scores": found.scores,
                "mask_scores": found.mask_scores,
                "labels": found.labels,
                "coefficients": coefficients,
                "masks": assemble_masks(prototypes, coefficients),
            }
            rows.append({name: _padded(value) for name, value in values.items()})
        outputs = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        outputs["prototypes"] = predictions.prototypes.numpy()
        return {name: outputs[name] for name in self.metadata.outputs}


def _padded(value: torch.Tensor) -> NDArray[Any]:
    first = value[:D].numpy()
    return np.concatenate((first, np.zeros((D - len(first), *first.shape[1:]), first.dtype)))


def pair(*, resize: str = STRETCH, mask_iou: bool = False, **changes: Any) -> tuple[Predictor, Predictor]:
    """A predictor by torch and the same by an export; nothing is suppressed."""
    network = small_network(mask_iou=mask_iou)
    postprocess = Postprocess(
        score_threshold=0.0, iou_threshold=1.0, max_detections=D, max_candidates=500, whole_pixel_boxes=False
    )
    by_torch = torch_predictor(
        network, postprocess, class_names=NAMES, image_size=SIZE, resize=resize, device="cpu", min_score=0.36
    )
    about = metadata(
        **{
            "input": "float32",
            "class_names": NAMES,
            "category_ids": (1, 2, 3),
            "iou_threshold": 1.0,
            "score_threshold": 0.0,
            "max_detections": D,
            "whole_pixel_boxes": False,
            **changes,
        }
    )
    session = TorchSession(engine_of(by_torch), about)
    engine = ExportedEngine(session, about)
    return by_torch, Predictor(engine, class_names=NAMES, resize=Resize(resize, SIZE), min_score=0.36)


def assert_equal(found: Detections, expected: Detections) -> None:
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-2)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
    np.testing.assert_allclose(found.mask_scores, expected.mask_scores, atol=1e-5)
    assert (found.masks != expected.masks).sum() <= 1e-4 * expected.masks.size


@pytest.mark.parametrize("layout", ["detections", "coefficients"])
@pytest.mark.parametrize("mask_iou", [False, True])
def test_equals_torch_on_images_of_any_size(layout: str, mask_iou: bool) -> None:
    by_torch, exported = pair(layout=layout, mask_iou=mask_iou)
    images = random_images(*SIZES)
    counts = []
    for found, expected in zip(exported(images), by_torch(images), strict=True):
        assert_equal(found, expected)
        counts.append(len(found))
    assert max(counts) > 5


@pytest.mark.parametrize("resize", MODES)
def test_equals_torch_wherever_the_image_is_placed(resize: str) -> None:
    by_torch, exported = pair(resize=resize)
    images = random_images(*SIZES[:3])
    for found, expected in zip(exported(images), by_torch(images), strict=True):
        kept = found[: len(expected)]  # what lay outside of the image took some of the 40 rows
        assert len(kept) > 0
        assert_equal(kept, expected[: len(kept)])


@pytest.mark.parametrize("option", ["classes", "top_k", "min_score"])
def test_serves_options_as_torch_does(option: str) -> None:
    by_torch, exported = pair()
    (image,) = random_images((70, 90))
    (all_found,) = exported([image])
    values = {"classes": ["star"], "top_k": 3, "min_score": float(all_found.scores[9])}
    options: Any = {option: values[option]}
    (found,), (expected,) = (predictor.with_options(**options)([image]) for predictor in (exported, by_torch))
    assert_equal(found, expected[: len(found)])
    assert 0 < len(found) < len(all_found)


@pytest.mark.parametrize("resize", MODES)
@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_prepares_images_as_torch_does(resize: str, kind: str) -> None:
    by_torch, exported = pair(resize=resize, input=kind)
    for image in random_images(*SIZES, (211, 333)):
        expected = by_torch.prepare([image]).permute(0, 2, 3, 1).numpy()
        prepared = exported.prepare([image])
        assert prepared.dtype == kind
        difference = np.abs(prepared - expected)
        assert difference.max() <= (0.5001 if kind == "uint8" else 1e-3)


def test_parts_are_those_of_the_detections() -> None:
    by_torch, exported = pair(layout="coefficients")
    (image,) = random_images((70, 90))
    (found,), (expected,) = (predictor.with_parts()([image]) for predictor in (exported, by_torch))
    assert found.parts is not None
    assert expected.parts is not None
    for part, wanted in zip(found.parts[:3], expected.parts[:3], strict=True):
        np.testing.assert_allclose(part, wanted, atol=1e-4)
    assert found.parts.place == expected.parts.place


def test_batches_of_several_sizes_are_padded() -> None:
    by_torch, exported = pair(resize="shortest_edge")
    images = random_images((60, 100), (100, 60), (80, 80))
    for predictor in (by_torch, exported):
        inputs = [predictor.prepare([image]) for image in images]
        outputs = predictor.forward(inputs)
        assert len(predictor.detect(outputs, 2, (80, 80))) > 0
    sides = by_torch.forward([by_torch.prepare(images)]).image_size
    assert exported.forward([exported.prepare(images)]).input_size == sides


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request("exact", 0.5), "nms=exact: .* nms=fast inside; export .* nms=exact"),
        (Request("fast", 0.6), r"iou_threshold=0.6: .* iou_threshold=0.5 inside; export"),
        (Request("fast", 0.5, min_score=0.01), r"min_score=0.01: .* 0.05; export .* score_threshold=0.01"),
        (Request("fast", 0.5, top_k=101), "top_k=101: .* at most 100 .* max_detections=101"),
        (Request("fast", 0.5, parts=True), "layout=coefficients"),
    ],
)
def test_refuses_what_the_file_was_not_exported_for(request_: Request, said: str) -> None:
    about = metadata()
    engine = ExportedEngine(TorchSession(engine_of(pair()[0]), about), about)
    engine.check(engine.usual)
    with pytest.raises(ValueError, match=said):
        engine.check(request_)


def test_raw_outputs_are_no_detections() -> None:
    about = metadata(layout="raw")
    with pytest.raises(ExportError, match=r"layout=raw, without .* layout=detections"):
        ExportedEngine(TorchSession(engine_of(pair()[0]), about), about)


def test_numbers_that_are_not_finite_are_no_error() -> None:
    class Broken(TorchSession):
        def run(self, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
            outputs = super().run(images)
            outputs["boxes"][0, 0] = np.nan, -np.inf, np.inf, 3
            outputs["scores"][0, 1] = np.nan
            outputs["masks"][0, 2] = np.nan
            return outputs

    by_torch, exported = pair()
    about = exported.engine.metadata  # pyright: ignore[reportAttributeAccessIssue]
    predictor = Predictor(
        ExportedEngine(Broken(engine_of(by_torch), about), about),
        class_names=NAMES,
        resize=Resize(STRETCH, SIZE),
    )
    (image,) = random_images((70, 90))
    (found,) = predictor([image])
    assert len(found) == len(exported.with_options(min_score=0)([image])[0]) - 1
    assert np.isfinite(found.boxes).all()
    assert found.masks.shape == (len(found), 70, 90)
