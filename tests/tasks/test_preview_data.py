import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from tests.tiny_run import OWN_DATA, TINY, compose_config
from yolact_pl.config.build import build
from yolact_pl.data.annotations.annotations import read_annotations
from yolact_pl.data.augmentation.transforms import NoAugmentation
from yolact_pl.data.dataset import TrainDataset
from yolact_pl.data.selection import select_classes
from yolact_pl.tasks.preview_data import draw_sample, first_keys, run

Run = Callable[..., Any]
FEW = ["task=preview_data", "task.samples=5", "task.columns=3", "task.width=96"]


def picture(folder: Path) -> np.ndarray:
    pixels = cv2.imread(str(folder / "preview_data.png"))
    assert pixels is not None
    return pixels


@pytest.mark.parametrize("batch_size", ["2", "1000", "auto"])  # which is nothing that a picture depends on
def test_page_of_samples(
    batch_size: str, run_task: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run_task(tmp_path, *FEW, f"dataset.batch_size={batch_size}")
    height, width = picture(tmp_path).shape[:2]
    assert width == 3 * 96 + 4 * 6
    assert 2 * 96 < height < 2 * 96 + 80  # two rows with captions
    assert "5 samples of " in caplog.text
    assert str(tmp_path / "preview_data.png") in caplog.text


def test_same_seed_same_page(run_task: Run, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run_task(tmp_path / name, *FEW, f"seed={seed}", "augment=ssd")
    a, b, c = (picture(tmp_path / name) for name in "abc")
    assert np.array_equal(a, b)
    assert a.shape != c.shape or not np.array_equal(a, c)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_samples_are_those_of_a_training(batch_size: int, data_dir: Path, tmp_path: Path) -> None:
    """Pixel by pixel what its loader gives in two epochs of ten images."""
    overrides = [*TINY, f"data_dir={data_dir}", "augment=ssd", f"dataset.batch_size={batch_size}", "seed=3"]
    data = build(compose_config(overrides, tmp_path).dataset)
    data.check("fit")
    loader = data.train_dataloader()
    images = torch.cat([images for _ in range(2) for images, _ in loader])
    keys = first_keys(10, 20, seed=3)
    assert len(images) == len(set(keys)) == 20
    for image, key in zip(images, keys, strict=True):
        assert torch.equal(image, loader.dataset[key][0])


def write_set(folder: Path) -> Path:
    """One picture of 40 x 60 pixels: a rectangle at the left, a crowd at the right."""
    crowd = np.zeros((40, 60), np.uint8, order="F")
    crowd[8:32, 32:56] = 1
    code: Any = coco_mask.encode(crowd)
    thing = {
        "id": 1, "image_id": 7, "category_id": 2, "bbox": [4, 8, 16, 24], "area": 384, "iscrowd": 0,
        "segmentation": [[4, 8, 20, 8, 20, 32, 4, 32]],
    }  # fmt: skip
    many = {
        "id": 2, "image_id": 7, "category_id": 1, "bbox": [32, 8, 24, 24], "area": 576, "iscrowd": 1,
        "segmentation": {"size": [40, 60], "counts": code["counts"].decode()},
    }  # fmt: skip
    content = {
        "images": [{"id": 7, "file_name": "a.png", "height": 40, "width": 60}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [thing, many],
    }
    cv2.imwrite(str(folder / "a.png"), np.full((40, 60, 3), 100, np.uint8))
    path = folder / "set.json"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("soft_masks", [False, True])
def test_masks_boxes_and_crowds_are_in_their_places(soft_masks: bool, tmp_path: Path) -> None:
    known = read_annotations(write_set(tmp_path))
    dataset = TrainDataset(
        known, tmp_path, image_size=(80, 120), augment=NoAugmentation(), soft_masks=soft_masks
    )
    pixels, target = draw_sample(dataset, (0, 0), ("cat", "dog"), width=480)
    assert pixels.shape == (320, 480, 3)
    torch.testing.assert_close(target["boxes"], torch.tensor([[8.0, 16, 40, 64], [64, 16, 112, 64]]))
    plain = (pixels == 100).all(axis=2)
    # 8 pixels of the page are one of the picture; a label may lie above a box.
    inside = np.zeros((320, 480), bool)
    inside[8 * 8 : 32 * 8, 4 * 8 : 20 * 8] = inside[8 * 8 : 32 * 8, 32 * 8 : 56 * 8] = True
    for left in (4, 32):  # corners are cut where a mask of a quarter of the resolution is enlarged
        assert not plain[10 * 8 : 30 * 8, (left + 2) * 8 : (left + 14) * 8].any()
    outside = ~inside
    outside[: 9 * 8] = False
    outside[31 * 8 : 33 * 8] = outside[:, 3 * 8 : 5 * 8] = outside[:, 19 * 8 : 21 * 8] = False
    outside[:, 31 * 8 : 33 * 8] = outside[:, 55 * 8 : 57 * 8] = False
    assert plain[outside].all()
    white = (pixels == 255).all(axis=2)
    assert not white[10 * 8 : 30 * 8, 6 * 8 : 18 * 8].any()
    assert 0.1 < white[10 * 8 : 30 * 8, 34 * 8 : 54 * 8].mean() < 0.25  # two of twelve pixels


@pytest.mark.parametrize("names", [("cat", "dog"), ("dog",)])
def test_a_single_class_is_not_written_at_every_object(names: tuple[str, ...], tmp_path: Path) -> None:
    known = select_classes(read_annotations(write_set(tmp_path)), names)
    dataset = TrainDataset(known, tmp_path, image_size=(80, 120), augment=NoAugmentation())
    pixels, _ = draw_sample(dataset, (0, 0), names, width=480)
    above_the_box = pixels[30:56, 32:160]
    assert (above_the_box != 100).any() == (len(names) > 1)


def test_crowds_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    own = [
        *OWN_DATA,
        f"dataset.train_json={write_set(tmp_path)}",
        f"dataset.train_images={tmp_path}",
        "augment=none",
        "task=preview_data",
        "task.samples=3",
    ]
    run(compose_config(own, tmp_path / "run"))
    assert "3 samples" in caplog.text
    assert "3 objects and 3 crowd regions" in caplog.text


@pytest.mark.parametrize("resize", ["letterbox", "shortest_edge"])
def test_other_resizes(resize: str, tmp_path: Path) -> None:
    known = read_annotations(write_set(tmp_path))
    dataset = TrainDataset(known, tmp_path, image_size=(80, 80), augment=NoAugmentation(), resize=resize)
    pixels, target = draw_sample(dataset, (0, 0), ("cat", "dog"), width=240)
    image, _ = dataset[(0, 0)]
    assert pixels.shape[1] == 240
    assert pixels.shape[0] == round(240 * image.shape[1] / image.shape[2])
    # the middle of the crowd is hatched, wherever that is
    x, y = target["boxes"][1].view(2, 2).mean(0).mul(240 / image.shape[2]).round().int().tolist()
    assert (pixels[y - 12 : y + 12, x - 12 : x + 12] > 200).all(axis=2).any()


@pytest.mark.parametrize("option", ["samples=0", "samples=many", "columns=-1", "width=0", "width=1e9"])
def test_wrong_options_are_told(option: str, run_task: Run, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"task.{option.split('=')[0]}=.*: expected a whole number"):
        run_task(tmp_path, "task=preview_data", f"task.{option}")
