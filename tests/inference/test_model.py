"""The library: images of any kind in, results in any form out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

import yolact_pl
from yolact_pl.inference.predictor import Predictor
from yolact_pl.models.anchors import Anchors
from yolact_pl.models.resnet import ResNet
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
    predictor = Predictor(network, postprocess, class_names=NAMES, image_size=(64, 96), device="cpu")
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
    for image in (path, str(path), Image.fromarray(pixels), planes, planes.float() / 255):
        found = model(image)
        np.testing.assert_allclose(found.boxes, expected.boxes)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
        np.testing.assert_array_equal(found.masks, expected.masks)
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
    with pytest.raises(ValueError, match="overlap=2"):
        model.tiled(large, overlap=2)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.float32), np.zeros((4, 0, 3), np.uint8), 7])
def test_what_is_no_image_is_told(model: yolact_pl.Model, wrong: object) -> None:
    with pytest.raises(ValueError, match="image"):
        model([wrong])


def test_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nothing\.ckpt"):
        yolact_pl.load(tmp_path / "nothing.ckpt")
