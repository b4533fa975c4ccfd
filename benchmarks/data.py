"""How fast one process reads, augments and collates images, and where the time goes.

    python benchmarks/data.py
    python benchmarks/data.py --json instances_train2017.json --images train2017 --size 550

Without arguments it writes pictures of its own to a temporary folder: 640 x 480 JPEGs, about 8 objects each.
Times are wall-clock: leave the machine alone meanwhile.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from yolact_pl.data.annotations import Annotations, read_annotations
from yolact_pl.data.dataset import EvaluationDataset, TrainDataset, to_planes
from yolact_pl.data.image_file import read_image
from yolact_pl.data.loader import pack
from yolact_pl.data.rasterize import prototype_size, rasterize, semantic_size
from yolact_pl.data.resize import resize_image
from yolact_pl.data.sampler import sample_generator
from yolact_pl.data.transforms import SsdAugmentation


def write_pictures(folder: Path, count: int = 60) -> Path:
    """A COCO set of photo-like pictures with polygons of 20 points; returns its json."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    angles = np.arange(20) * (2 * np.pi / 20)
    for i in range(count):
        coarse = rng.integers(0, 256, (24, 32, 3), np.uint8)
        noise = rng.normal(0, 12, (480, 640, 3))
        picture = cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC) + noise
        cv2.imwrite(
            str(folder / f"{i}.jpg"),
            np.clip(picture, 0, 255).astype(np.uint8),
            [cv2.IMWRITE_JPEG_QUALITY, 92],
        )
        images.append({"id": i, "file_name": f"{i}.jpg", "height": 480, "width": 640})
        for _ in range(rng.integers(1, 14)):
            radius = rng.uniform(8, 120) * rng.uniform(0.7, 1, 20)
            centre = rng.uniform((120, 120), (520, 360))
            ring = np.stack((np.cos(angles), np.sin(angles)), 1) * radius[:, None] + centre
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
    (folder / "pictures.json").write_text(json.dumps(content))
    return folder / "pictures.json"


def milliseconds(work: Callable[[int], object], count: int, repeats: int) -> float:
    """Average time of work(0) .. work(count - 1), of the best of some rounds."""
    rounds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for i in range(count):
            work(i)
        rounds.append((time.perf_counter() - start) / count)
    return 1000 * min(rounds)


def stages(known: Annotations, folder: Path, size: tuple[int, int], repeats: int) -> list[tuple[str, float]]:
    """Milliseconds an image of each stage of a training sample."""
    count = min(known.num_images, 200)
    augment = SsdAugmentation()
    sizes = [prototype_size(size), semantic_size(size)]
    images = [read_image(folder / known.file_name(i), known.size(i)) for i in range(count)]
    windows = [
        augment.window(
            known.size(i),
            known.boxes[known.rows(i)],
            known.iscrowd[known.rows(i)],
            sample_generator(0, (0, i)),
        )
        for i in range(count)
    ]
    parts = [window.cut(image, size)[0] for window, image in zip(windows, images, strict=True)]
    kept = [
        known.rows(i).start + np.flatnonzero(windows[i].contains_centres(known.boxes[known.rows(i)]))
        for i in range(count)
    ]
    shown = [i for i in range(count) if parts[i].size]
    pixels = np.zeros((*size, 3), np.uint8)
    work: list[tuple[str, Callable[[int], object]]] = [
        ("read and decode", lambda i: read_image(folder / known.file_name(i), known.size(i))),
        ("cut and resize", lambda i: windows[i].cut(images[i], size)),
        ("recolour", lambda i: augment.recolour(parts[shown[i % len(shown)]], sample_generator(0, (0, i)))),
        ("draw masks", lambda i: rasterize(known, kept[i], windows[i], sizes)),
        ("to planes", lambda i: to_planes(pixels)),
        ("evaluation resize", lambda i: resize_image(images[i], size)),
    ]
    return [(name, milliseconds(function, count, repeats)) for name, function in work]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--size", type=int, default=550)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.images or Path(temporary)
        known = read_annotations(arguments.json or write_pictures(folder), folder)
        size = (arguments.size, arguments.size)
        train = TrainDataset(known, folder, image_size=size, augment=SsdAugmentation())
        val = EvaluationDataset(known, folder, image_size=size)
        count = min(len(train), 200)
        epochs = iter(range(1000))
        batch = arguments.batch

        def train_batch(k: int) -> None:
            epoch = next(epochs)
            pack([train[(epoch, (k * batch + j) % count)] for j in range(batch)])

        def val_batch(k: int) -> None:
            pack([val[(k * batch + j) % count] for j in range(batch)])

        batches = -(-count // batch)
        objects = known.num_annotations / known.num_images
        print(f"{known.num_images} images, {objects:.1f} objects each, {size[0]} px, batches of {batch}\n")
        print(f"{'':20}{'ms/image':>10}{'images/s':>10}")
        for name, function in (("training", train_batch), ("evaluation", val_batch)):
            each = milliseconds(function, batches, arguments.repeats) / batch
            print(f"{name:20}{each:10.2f}{1000 / each:10.0f}")
        print("\nof which")
        for name, each in stages(known, folder, size, arguments.repeats):
            print(f"{name:20}{each:10.2f}")


if __name__ == "__main__":
    main()
