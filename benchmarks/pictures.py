"""Pictures for benchmarks, as large as files and as hard to decode as COCO's photos."""

import json
from pathlib import Path

import cv2
import numpy as np

HEIGHT, WIDTH = 480, 640
MOST_OBJECTS = 14


def photo_like(rng: np.random.Generator, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Smooth colours with some noise, uint8 [height, width, 3]."""
    coarse = rng.integers(0, 256, (height // 20, width // 20, 3), np.uint8)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture + rng.normal(0, 12, picture.shape), 0, 255).astype(np.uint8)


def write_jpeg(path: Path, picture: np.ndarray) -> None:
    """At a quality that gives 0.5 bytes a pixel, as in COCO."""
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 92])


def bumpy_outline(rng: np.random.Generator, *, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A polygon [20, 2] somewhere in a picture, with a radius of up to a quarter of its height."""
    angles = np.arange(20) * (2 * np.pi / 20)
    radius = height * rng.uniform(0.02, 0.25) * rng.uniform(0.7, 1, 20)
    centre = rng.uniform(0.25, 0.75, 2) * (width, height)
    return np.stack((np.cos(angles), np.sin(angles)), 1) * radius[:, None] + centre


def write_set(folder: Path, count: int = 60, height: int = HEIGHT, width: int = WIDTH) -> Path:
    """A COCO set of pictures with 1 to 13 objects each in a folder; returns its json."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for i in range(count):
        write_jpeg(folder / f"{i}.jpg", photo_like(rng, height, width))
        images.append({"id": i, "file_name": f"{i}.jpg", "height": height, "width": width})
        for _ in range(rng.integers(1, MOST_OBJECTS)):
            ring = bumpy_outline(rng, height=height, width=width)
            low, high = ring.min(0), ring.max(0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i,
                    "category_id": 1,
                    "iscrowd": 0,
                    "area": 1.0,
                    "bbox": [*low, *(high - low)],
                    "segmentation": [ring.ravel().round(2).tolist()],
                }
            )
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    path = folder / "pictures.json"
    path.write_text(json.dumps(content))
    return path
