"""The library: images of any kind in, results in any form out."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

import yolact_pl
from tests.inference.test_predictor import small_predictor
from yolact_pl.inference.engines import torch_engine
from yolact_pl.inference.engines.torch_engine import resolve_device, torch_predictor
from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.resnet import ResNet
from yolact_pl.models.yolact import Yolact
from yolact_pl.postprocess import Postprocess

NAMES = ("disc", "star", "ring")


@pytest.fixture(scope="module")
def model() -> yolact_pl.Model:
    """Untrained, so that it finds its most of 5 objects everywhere."""
    torch.manual_seed(0)
    backbone = ResNet((1, 1, 1, 1), block="basic")
    anchors = Anchors([12, 24, 48, 64, 80], [1.0, 0.5])
    network = Yolact(backbone, anchors, num_classes=3, channels=32, num_prototypes=8)
    postprocess = Postprocess(score_threshold=0.0, max_detections=5)
    predictor = torch_predictor(network, postprocess, class_names=NAMES, image_size=(64, 96), device="cpu")
    return yolact_pl.Model(predictor, category_ids=(3, 7, 9))


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)


def test_images_of_any_kind_give_the_same(model: yolact_pl.Model, pixels: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path)
    planes = torch.from_numpy(pixels).permute(2, 0, 1)
    expected = model(pixels)
    assert len(expected) == 5
    assert expected.masks.shape == (5, 48, 80)
    content, opaque = path.read_bytes(), np.full((48, 80, 1), 9, np.uint8)
    stream = io.BytesIO(content)
    stream.seek(7)
    given: list[Any] = [path, str(path), content, bytearray(content), memoryview(content), stream, stream]
    given += [Image.fromarray(pixels), planes, planes.float() / 255, np.dstack((pixels, opaque))]
    for image in given:
        found = model(image)
        np.testing.assert_allclose(found.boxes, expected.boxes)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
        np.testing.assert_array_equal(found.masks, expected.masks)
    with path.open("rb") as file:
        assert len(model([file, content])) == 2
    several = model([pixels, pixels[:, ::-1]])
    assert [len(found) for found in several] == [5, 5]
    np.testing.assert_allclose(several[0].scores, expected.scores, atol=1e-5)


def test_coco_results_hold_the_masks_and_the_files_ids(model: yolact_pl.Model, pixels: np.ndarray) -> None:
    found = model(pixels)
    rows = found.to_coco(image_id=42)
    assert [row["category_id"] for row in rows] == [(3, 7, 9)[label] for label in found.labels]
    assert {row["image_id"] for row in rows} == {42}
    for row, mask, box in zip(rows, found.masks, found.boxes, strict=True):
        np.testing.assert_array_equal(coco_mask.decode(row["segmentation"]), mask)
        x, y, width, height = row["bbox"]
        np.testing.assert_allclose([x, y, x + width, y + height], box, atol=0.01)
    assert found.draw(pixels).shape == pixels.shape
    assert not np.array_equal(found.draw(pixels), pixels)


def test_options_narrow_what_is_found(model: yolact_pl.Model, pixels: np.ndarray) -> None:
    every = model(pixels, top_k=10_000)
    stars = model(pixels, classes=["star"], top_k=10_000)
    assert set(stars.names) == {"star"}
    assert len(stars) == every.names.count("star")
    best = model(pixels, top_k=2)
    np.testing.assert_array_equal(best.scores, model(pixels).scores[:2])
    middle = float(every.scores[len(every) // 2])
    assert (model(pixels, min_score=middle, top_k=10_000).scores > middle).all()
    with pytest.raises(ValueError, match=r"stra.*star"):
        model(pixels, classes=["stra"])


def test_an_object_gets_one_label_unless_asked_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the checkpoint is measured with."""
    monkeypatch.setattr(torch_engine, "read_checkpoint", lambda *_, **__: (small_predictor(), [1, 2, 3]))

    def request(**options: Any) -> tuple[str, float]:
        asked = yolact_pl.load("any", **options).predictor.request
        return asked.nms, asked.iou_threshold

    assert request() == ("cross_class", 0.5)
    assert request(nms="fast", iou_threshold=0.7) == ("fast", 0.7)


def test_tiles_find_more_and_each_in_pixels_of_the_image(model: yolact_pl.Model) -> None:
    """The untrained network gives its most of 5 for every look, so that 6 tiles and the whole give more."""
    large = np.random.default_rng(1).integers(0, 256, (150, 230, 3), dtype=np.uint8)
    found = model.tiled(Image.fromarray(large), tile=100, overlap=0.2, batch_size=3)
    assert len(model(large)) == 5 < len(found)
    assert found.masks.shape[1:] == (150, 230)
    assert found.boxes[:, 2].max() > 130  # beyond the first tile
    few = model.tiled(large, tile=100, top_k=2, classes=["star"])
    assert few.names == ["star"] * 2
    small = model.tiled(large[:90, :90], tile=100)
    np.testing.assert_array_equal(small.masks, model(large[:90, :90]).masks)


@pytest.mark.parametrize(
    ("name", "value"),
    [("batch_size", value) for value in (-1, 0, 2.5, "4", True)]
    + [("tile", value) for value in (0, -64, 64.5, "64", True)]
    + [("overlap", value) for value in (2, -0.1, "some", None, float("nan"))],
)
def test_wrong_options_of_tiles_are_told(model: yolact_pl.Model, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"{name}=.*expected"):
        model.tiled(np.zeros((150, 230, 3), dtype=np.uint8), **{name: value})


@pytest.mark.parametrize(
    "option",
    [{"image_size": value} for value in (550.0, "550", 8, (64,), (64, 64.5), True)] + [{"half": "no"}],
)
def test_wrong_options_of_load_are_told(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(option))}=.*expected"):
        yolact_pl.load("any.ckpt", **option)


@pytest.mark.parametrize("device", [None, 2.5, "tpu"])
def test_a_device_that_is_none_is_told(device: Any) -> None:
    with pytest.raises(ValueError, match="is not known: give auto"):
        resolve_device(device)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_scores": 0.5}, r"no option 'min_scores'; did you mean 'min_score'\?"),
        ({"foo": 1}, r"no option 'foo'; there are min_score, classes, top_k"),
        ({"min_score": "high"}, "min_score='high': expected a number"),
        ({"min_score": 1}, "min_score=1"),
        ({"min_score": float("nan")}, "min_score=nan"),
        ({"iou_threshold": -0.1}, "iou_threshold=-0.1"),
        ({"top_k": 0}, "top_k=0"),
        ({"top_k": 2.5}, r"top_k=2\.5"),
        ({"top_k": True}, "top_k=True"),
        ({"min_score": False}, "min_score=False"),
        ({"iou_threshold": True}, "iou_threshold=True"),
        ({"classes": 3}, "classes=3: expected names"),
        ({"classes": [["disc"]]}, "no class"),
        ({"nms": "soft"}, "nms='soft' is not known"),
        ({"classes": []}, "classes is empty"),
    ],
)
def test_wrong_options_are_told(
    options: dict[str, Any], message: str, model: yolact_pl.Model, pixels: np.ndarray
) -> None:
    with pytest.raises(ValueError, match=message):
        model(pixels, **options)


def test_a_list_of_any_sizes_gives_what_each_image_gives_alone(model: yolact_pl.Model) -> None:
    random = np.random.default_rng(3)
    sizes = [(48, 80), (31, 17), (200, 90), (1, 40)]
    images = [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    together = model(images)
    assert [found.size for found in together] == sizes
    for found, image in zip(together, images, strict=True):
        alone = model(image)
        np.testing.assert_allclose(found.boxes, alone.boxes, atol=1)
        np.testing.assert_allclose(found.scores, alone.scores, atol=1e-4)
    assert model([]) == []


def test_supervision_gets_the_same_objects(model: yolact_pl.Model, pixels: np.ndarray) -> None:
    supervision = pytest.importorskip("supervision")
    found = model(pixels)
    converted = found.to_supervision()
    assert isinstance(converted, supervision.Detections)
    assert len(converted) == len(found) == 5
    np.testing.assert_array_equal(converted.xyxy, found.boxes)
    np.testing.assert_array_equal(converted.mask, found.masks)
    np.testing.assert_array_equal(converted.confidence, found.scores)
    np.testing.assert_array_equal(converted.class_id, found.labels)
    assert converted.data["class_name"].tolist() == found.names
    best = converted[converted.confidence >= found.scores[1]]
    assert best.data["class_name"].tolist() == found.names[:2]
    assert len(model(pixels, min_score=0.9999).to_supervision()) == 0


def test_polygons_outline_the_masks(model: yolact_pl.Model, pixels: np.ndarray) -> None:
    found = model(pixels)
    outlines = json.loads(json.dumps(found.to_polygons()))
    for parts, mask in zip(outlines, found.masks, strict=True):
        flat = [[float(number) for point in outline for number in point] for outline in parts]
        encoded = coco_mask.frPyObjects(flat, *mask.shape)
        filled = coco_mask.decode(coco_mask.merge(encoded)).astype(bool) if flat else np.zeros_like(mask)
        assert (filled >= mask).all()
        holes = filled & ~mask
        assert not holes[0].any()
        assert not holes[:, 0].any()


def test_threads_share_a_model(model: yolact_pl.Model) -> None:
    """Each with options and images of its own, all at once and again and again."""
    random = np.random.default_rng(5)
    images = [random.integers(0, 256, (40 + 8 * i, 60, 3), dtype=np.uint8) for i in range(4)]
    options: list[dict[str, Any]] = [{}, {"top_k": 2}, {"classes": ["star"]}, {"nms": "exact"}]
    alone = [model(image, **asked) for image, asked in zip(images, options, strict=True)]
    start = threading.Barrier(4, timeout=30)

    def work(i: int) -> list[yolact_pl.ImageDetections]:
        start.wait()
        return [model(images[i], **options[i]) for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        for expected, several in zip(alone, pool.map(work, range(4)), strict=True):
            for found in several:
                np.testing.assert_array_equal(found.labels, expected.labels)
                np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
                np.testing.assert_array_equal(found.masks, expected.masks)


def test_grey_is_read_in_all_channels(model: yolact_pl.Model, pixels: np.ndarray) -> None:
    grey = pixels[:, :, 0]
    expected = model(np.dstack((grey, grey, grey)))
    planes = torch.from_numpy(grey.copy())
    for image in (grey, grey[:, :, None], Image.fromarray(grey), planes, planes[None], planes / 255):
        np.testing.assert_allclose(model(image).boxes, expected.boxes)


def test_rows_of_a_result(model: yolact_pl.Model, pixels: np.ndarray) -> None:
    found = model(pixels)
    middle = float(found.scores[2])
    good = found[found.scores > middle]
    assert isinstance(good, yolact_pl.ImageDetections)
    assert len(good) == len(good.names) == len(good.to_coco()) == 2
    np.testing.assert_array_equal(good.masks, found.masks[:2])
    assert found[[4, 0]].names == [found.names[4], found.names[0]]
    assert [len(one) for one in found] == [1] * 5
    assert len(found[:0]) == len(found[[]]) == 0
    for wrong in (9, [True], np.zeros((2, 5), bool), np.zeros((1, 1), int)):
        with pytest.raises(IndexError):
            found[wrong]


class Closed(io.BytesIO):
    def __init__(self) -> None:
        super().__init__(b"content")
        self.close()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((4, 4), np.float32), "image is an array float32"),
        (np.zeros((4, 0, 3), np.uint8), r"shape \(4, 0, 3\)"),
        (np.zeros((4, 4, 2), np.uint8), r"expected uint8 of shape \(height, width, 3\)"),
        (torch.zeros(2, 4, 4), r"tensor of shape \(2, 4, 4\)"),
        (torch.full((3, 4, 4), 2.0), "from 2 to 2"),
        (7, "is a int: expected a path, bytes"),
        (None, "is a NoneType"),
        (b"", "the image is empty"),
        (b"text", "the image is not a picture"),
        (io.BytesIO(b"text"), "not a picture"),
        (io.StringIO("text"), "opened as text"),
        (Closed(), "cannot be read"),
        ("missing.jpg", r"missing\.jpg does not exist"),
        ("nul\0.jpg", "cannot be read"),
    ],
)
def test_what_is_no_image_is_told(model: yolact_pl.Model, wrong: Any, message: str) -> None:
    for call in (model, model.tiled):
        with pytest.raises(yolact_pl.ImageError, match=message):
            call(wrong)
    assert issubclass(yolact_pl.ImageError, ValueError)


@pytest.mark.parametrize("options", [{"color_by": "size"}, {"alpha": 3}, {"alpha": float("nan")}])
def test_wrong_options_of_a_drawing_are_told(
    options: dict[str, Any], model: yolact_pl.Model, pixels: np.ndarray
) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(options))}=.*expected"):
        model(pixels).draw(pixels, **options)


def test_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nothing\.ckpt"):
        yolact_pl.load(tmp_path / "nothing.ckpt")
