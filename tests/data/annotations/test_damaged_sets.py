"""300 randomly damaged annotation files: each is refused in one sentence, or trained on and evaluated."""

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yolact_pl.data.augmentation.transforms import SsdAugmentation
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.evaluation.coco_ap import CocoAveragePrecision
from yolact_pl.results.detections import Detections

Write = Callable[..., tuple[Path, Path]]
GARBAGE = [
    None, True, False, 0, -1, 1, 2, 10**30, -(2**63), 0.5, 1e308, -1e308, float("nan"), float("inf"),
    "", "a", "0", "\0", "\ud800", "../..", "/", "x" * 5000,
    [], [[]], [[[]]], [0], [None], [[1, 2, 3]], [["a"] * 6], [[0, 0, 9, 0, 9, float("nan")]], [1, 2, 3, 4],
    [[1e30] * 8], [-5, -5, 3, 3], [1e9] * 4, [0, 0, 0, 0], ["1", "2", "3", "4"],
    {}, {"id": 1}, {"size": [40, 60], "counts": "a"}, {"size": [40, 60], "counts": [2400]},
    {"size": [40, 60], "counts": [-5, 2405]}, {"size": [40, 60], "counts": [10**20]}, {"counts": None},
    {"size": [60, 40], "counts": "PPYo0"}, {"size": "ab", "counts": {}},
    {"size": [40, 60], "counts": "\u00e9"},
]  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """A set of three images with polygons, run lengths and a crowd, and its folder of images."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for i, (h, w) in enumerate([(40, 60), (40, 60), (30, 20)]):
        cv2.imwrite(str(folder / f"{i}.png"), rng.integers(0, 256, (h, w, 3), np.uint8))
        images.append({"id": i, "file_name": f"{i}.png", "height": h, "width": w})
        ring = [2, 3, 15, 3, 15, 18, 2, 18]
        counts = [5 * h + 2, 6, h * w - 5 * h - 8]
        for segmentation, crowd in (([ring], 0), ({"size": [h, w], "counts": counts}, 1)):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i,
                    "category_id": (7, 3)[crowd],
                    "bbox": [2, 3, 13, 15],
                    "area": 195.0,
                    "iscrowd": crowd,
                    "segmentation": segmentation,
                }
            )
    categories = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]
    return {"images": images, "annotations": annotations, "categories": categories}, folder


def damage(content: dict[str, Any], rng: random.Random) -> str:
    """One to four entries replaced, removed or doubled, or the text itself cut or changed."""
    value = copy.deepcopy(content)
    for _ in range(rng.randint(1, 4)):
        holder, key = rng.choice(list(_places(value)))
        action = rng.random()
        if action < 0.7:
            holder[key] = copy.deepcopy(rng.choice(GARBAGE))
        elif action < 0.9:
            del holder[key]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
    text = json.dumps(value)
    if rng.random() < 0.15:
        start = rng.randrange(len(text))
        text = (
            text[:start] + rng.choice(["", "}", ",", '"', "nul", "\\u12"]) + text[start + rng.randrange(40) :]
        )
    return text


def _places(value: Any) -> Any:
    """Every entry of nested lists and objects."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_damaged_sets_end_in_one_sentence_or_start(
    sound: tuple[dict[str, Any], Path], tmp_path: Path, seed: int
) -> None:
    content, folder = sound
    path = tmp_path / "damaged.json"
    path.write_text(damage(content, random.Random(seed)), encoding="utf-8", errors="surrogatepass")
    sentence = complaint(path, folder)
    if sentence is not None:
        assert "\n" not in sentence
        assert "damaged.json" in sentence or folder.name in sentence


def complaint(path: Path, folder: Path) -> str | None:
    """What is said of a set that can't be used, None if it can."""
    try:
        start(path, folder)
    except ValueError as error:
        return str(error)
    return None


def start(path: Path, folder: Path) -> None:
    """All that a training does with its files: train and validate on all images once."""
    data = CocoDataModule(
        train_json=path,
        train_images=folder,
        val_json=path,
        val_images=folder,
        image_size=32,
        batch_size=1,
        num_workers=0,
        augment=SsdAugmentation(),
    )
    data.check("fit")
    for images, targets in data.train_dataloader():
        assert images.shape == (1, 3, 32, 32)
        assert targets.boxes.isfinite().all()
        assert (targets.labels < data.num_classes).all()
    known = data.val_annotations
    ap = CocoAveragePrecision(known)
    for _, infos in data.val_dataloader():
        image_ids = [info["image_id"] for info in infos]
        ap.update(image_ids, [found_in(data, image_id) for image_id in image_ids])
    if known.has_ground_truth:
        metrics = ap.compute()
        assert metrics.num_images == data.val_size
        if data.num_val_objects and all(known.mask(j).any() for j in range(known.num_annotations)):
            # What is trained on is what is measured against.
            assert metrics.mask.all == pytest.approx(1)
            assert metrics.box.at_iou[50] == pytest.approx(1)


def found_in(data: CocoDataModule, image_id: int) -> Detections:
    target = data.val_target(image_id)
    return Detections.from_masks(
        boxes=target["boxes"],
        scores=np.ones(len(target["labels"])),
        labels=target["labels"],
        masks=target["masks"].numpy(),
    )


def test_the_sound_set_starts(sound: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    content, folder = sound
    (tmp_path / "damaged.json").write_text(json.dumps(content))
    assert complaint(tmp_path / "damaged.json", folder) is None
