"""A tiny COCO set on disk, with everything that real sets have."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

SIZES = [(40, 60), (50, 30), (32, 32), (64, 48), (33, 47)]


def _content(sizes: list[tuple[int, int]]) -> dict[str, Any]:
    """Images 10, 20, ...; gapped, unsorted category ids; image 30 without objects, a crowd in image 10."""
    images = [
        {"id": 10 * (i + 1), "file_name": f"{i}.png", "height": h, "width": w}
        for i, (h, w) in enumerate(sizes)
    ]
    annotations = []
    for i, (h, w) in enumerate(sizes):
        for k in range(0 if i == 2 else i + 1):
            x, y = 2.0 + 3 * k, 4.0 + 2 * k
            box = [x, y, w / 2, h / 2]
            x2, y2 = x + w / 2, y + h / 2
            ring = [x, y, x2, y, x2, y2, x, y2]
            annotations.append(
                {"image_id": 10 * (i + 1), "category_id": (3, 7)[k % 2], "bbox": box, "segmentation": [ring]}
            )
    crowd = np.zeros(sizes[0], np.uint8, order="F")
    crowd[:20, 30:] = 1
    code: Any = coco_mask.encode(crowd)
    segmentation = {"size": list(sizes[0]), "counts": code["counts"].decode()}
    annotations.append(
        {
            "image_id": 10,
            "category_id": 7,
            "bbox": [30, 0, 30, 20],
            "segmentation": segmentation,
            "iscrowd": 1,
        }
    )
    for j, annotation in enumerate(annotations):
        annotation.update(id=j + 1, area=annotation["bbox"][2] * annotation["bbox"][3])
        annotation.setdefault("iscrowd", 0)
    categories = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]
    return {"images": images, "annotations": annotations, "categories": categories}


@pytest.fixture
def tiny_coco(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Writes a set of `count` images and returns its json and its images folder."""

    def write(name: str = "train", count: int = 5) -> tuple[Path, Path]:
        sizes = [SIZES[i % len(SIZES)] for i in range(count)]
        folder, path = tmp_path / name, tmp_path / f"{name}.json"
        folder.mkdir()
        rng = np.random.default_rng(0)
        for i, (h, w) in enumerate(sizes):
            cv2.imwrite(str(folder / f"{i}.png"), rng.integers(0, 256, (h, w, 3), np.uint8))
        path.write_text(json.dumps(_content(sizes)))
        return path, folder

    return write
