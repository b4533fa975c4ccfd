"""Samples of the published augmentations against recorded ones: geometry, objects and colours, key by key."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from yolact_pl.data.annotations.annotations import Annotations, read_annotations
from yolact_pl.data.augmentation.transforms import FlipAugmentation, NoAugmentation, SsdAugmentation
from yolact_pl.data.dataset import TrainDataset
from yolact_pl.images.placement import MODES

RECORDED = Path(__file__).parent / "published_samples.npz"
AUGMENTATIONS = {"none": NoAugmentation(), "flip": FlipAugmentation(), "ssd": SsdAugmentation()}
SIZES = [(80, 120), (100, 60), (64, 64), (61, 97)]
EPOCHS = 2


def picture(size: tuple[int, int], number: int) -> np.ndarray:
    """Slopes and a bright disc [H, W, 3] uint8: what is shown can be told from the means of its quarters."""
    y, x = np.mgrid[: size[0], : size[1]]
    pixels = np.stack((x * 255 / size[1], y * 255 / size[0], (x + y + 40 * number) % 256), 2).astype(np.uint8)
    return cv2.circle(pixels, (size[1] // 3, size[0] // 4), 12, (250, 240, 10), -1)


def write_set(folder: Path) -> Annotations:
    """Four JPEGs with rectangles, triangles beyond the image, a crowd as run lengths and tiny objects."""
    images, objects = [], []
    for number, (height, width) in enumerate(SIZES):
        Image.fromarray(picture((height, width), number)).save(folder / f"{number}.jpg", quality=95)
        images.append({"id": number + 1, "file_name": f"{number}.jpg", "height": height, "width": width})
        for k in range(1 + number):
            x, y, w, h = 4 + 11 * k, 3 + 9 * k, width // 2, height // 3
            ring = [x, y, x + w, y + h / 2, x, y + h] if k % 2 else [x, y, x + w, y, x + w, y + h, x, y + h]
            objects.append((number, [x, y, w, h], [ring], 0))
        objects.append((number, [2, height - 3, 2, 2], [[2, height - 3, 4, height - 3, 4, height - 1]], 0))
    counts = [0, 30, 50, 20, 80 * 120 - 100]  # two stretches of the first columns
    objects.append((0, [0, 0, 2, 80], {"size": [80, 120], "counts": counts}, 1))
    annotations = [
        {
            "id": j + 1,
            "image_id": number + 1,
            "category_id": 1 + j % 2,
            "bbox": box,
            "area": box[2] * box[3],
            "segmentation": segmentation,
            "iscrowd": crowd,
        }
        for j, (number, box, segmentation, crowd) in enumerate(objects)
    ]
    categories = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    path = folder / "set.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return read_annotations(path, folder)


def describe(known: Annotations, folder: Path, augment: str, resize: str, *, fine: bool) -> dict[str, Any]:
    """All samples of two epochs: sizes, means of the quarters, objects and the areas of their masks."""
    options: dict[str, Any] = {"soft_masks": fine, "reduced_decoding": fine}
    samples = TrainDataset(
        known, folder, image_size=(40, 56), resize=resize, augment=AUGMENTATIONS[augment], seed=3, **options
    )
    found = [samples[key] for key in product(range(EPOCHS), range(len(SIZES)))]
    quarters = [
        [
            half.mean()
            for plane in pixels.numpy()
            for rows in np.array_split(plane, 2)
            for half in np.array_split(rows, 2, axis=1)
        ]
        for pixels, _ in found
    ]
    targets = [target for _, target in found]
    return {
        "sizes": np.array([pixels.shape[1:] for pixels, _ in found], np.int16),
        "quarters": np.array(quarters, np.float32),
        "counts": np.array([len(target["labels"]) for target in targets], np.int8),
        "boxes": np.concatenate([target["boxes"] for target in targets]).astype(np.float32),
        "labels": np.concatenate([target["labels"] for target in targets]).astype(np.int8),
        "iscrowd": np.concatenate([target["iscrowd"] for target in targets]),
        "areas": np.concatenate([target["masks"].sum((1, 2)) for target in targets]).astype(np.float32),
        "semantic_areas": np.concatenate(
            [target.get("semantic_masks", target["masks"]).sum((1, 2)) for target in targets]
        ).astype(np.float32),
    }


def cases() -> list[tuple[str, str, bool]]:
    return list(product(AUGMENTATIONS, MODES, (False, True)))


def record(folder: Path) -> None:
    """Write the recorded samples anew."""
    known = write_set(folder)
    described = {
        f"{augment}/{resize}/{fine}/{name}": value
        for augment, resize, fine in cases()
        for name, value in describe(known, folder, augment, resize, fine=fine).items()
    }
    np.savez_compressed(RECORDED, **described)


@pytest.mark.parametrize(("augment", "resize", "fine"), cases())
def test_samples_are_as_published(augment: str, resize: str, fine: bool, tmp_path: Path) -> None:
    found = describe(write_set(tmp_path), tmp_path, augment, resize, fine=fine)
    with np.load(RECORDED) as recorded:
        for name, value in found.items():
            # JPEG decoders and resizing differ by a few units between versions of OpenCV.
            tolerance = 1.5 if name == "quarters" else 1e-3
            np.testing.assert_allclose(
                value, recorded[f"{augment}/{resize}/{fine}/{name}"], atol=tolerance, err_msg=name
            )
