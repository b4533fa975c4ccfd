"""Ids of categories and images come back in results as the annotation file has them."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from yolact_pl.data.augmentation.transforms import NoAugmentation
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.evaluation.coco_ap import CocoAveragePrecision
from yolact_pl.evaluation.counting import BACKENDS
from yolact_pl.results.detections import Detections

IDS = {
    "from 0": [0, 1, 2],
    "gapped": [3, 90, 17],
    "unsorted": [9, 2, 5],
    "negative": [-4, 0, 10**12],
}


def write_set(root: Path, ids: list[int]) -> tuple[Path, Path, list[dict[str, Any]]]:
    """12 images, each with a rectangle of one or two of the classes a, b, c, whose ids are given."""
    (root / "images").mkdir()
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for i in range(12):
        cv2.imwrite(str(root / "images" / f"{i}.png"), np.zeros((40, 60, 3), np.uint8))
        images.append({"id": 500 - i, "file_name": f"{i}.png", "height": 40, "width": 60})
        for k in {i % 3, (i // 2) % 3}:
            x, y = rng.integers(0, 20, 2).tolist()
            box = [x, y, 20 + 5 * k, 15]
            x2, y2 = x + box[2], y + box[3]
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": 500 - i,
                    "category_id": ids[k],
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                    "segmentation": [[x, y, x2, y, x2, y2, x, y2]],
                }
            )
    categories = [{"id": number, "name": name} for number, name in zip(ids, "abc", strict=True)]
    path = root / "instances.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path, root / "images", annotations


def perfect(data: CocoDataModule, image_id: int) -> Detections:
    target = data.val_target(image_id)
    return Detections.from_masks(
        boxes=target["boxes"],
        scores=np.ones(len(target["labels"])),
        labels=target["labels"],
        masks=target["masks"].numpy(),
    )


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
@pytest.mark.parametrize("classes", [None, ["a"], ["c", "b"]])
@pytest.mark.parametrize("fraction", [None, 0.5])
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_truth_is_right_and_its_results_name_the_files_ids(
    tmp_path: Path, ids: list[int], classes: list[str] | None, fraction: float | None, backend: str
) -> None:
    path, folder, annotations = write_set(tmp_path, ids)
    files = {"train_json": path, "train_images": folder}
    if fraction is None:
        files |= {"val_json": path, "val_images": folder}
    data = CocoDataModule(
        **files,  # type: ignore[arg-type]
        val_fraction=fraction,
        classes=classes,
        image_size=64,
        batch_size=2,
        num_workers=0,
        augment=NoAugmentation(),
    )
    image_ids = [info["image_id"] for _, infos in data.val_dataloader() for info in infos]
    ap = CocoAveragePrecision(data.val_annotations, backend=backend)
    ap.update(image_ids, [perfect(data, image_id) for image_id in image_ids])
    metrics = ap.compute()
    assert metrics.num_images == (12 if fraction is None else 6)
    assert metrics.box.all == pytest.approx(1)
    assert metrics.mask.all == pytest.approx(1)

    name_of = dict(zip(ids, "abc", strict=True))
    written = {
        (row["image_id"], row["category_id"], *row["bbox"]) for image in ap.rows for row in image.box_rows()
    }
    assert written == {
        (entry["image_id"], entry["category_id"], *entry["bbox"])
        for entry in annotations
        if entry["image_id"] in image_ids and (classes is None or name_of[entry["category_id"]] in classes)
    }
