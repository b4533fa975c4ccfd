"""Time of augmenting a picture: `python benchmarks/data_transforms.py [--objects N] [--repeats N]`.

A made-up 640 x 480 picture becomes an input of 550 x 550 with the masks of its objects at 138 x 138 and
69 x 69. Compared with the plain way: canvas, crop and flip of the picture and of all full-size masks, one
after the other.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from yolact_pl.data.annotations import Annotations, read_annotations
from yolact_pl.data.rasterize import prototype_size, rasterize, semantic_size
from yolact_pl.data.transforms import SsdAugmentation
from yolact_pl.data.window import Window
from yolact_pl.geometry.masks import resize_masks

HEIGHT, WIDTH = 480, 640
INPUT = (550, 550)
SIZES = [prototype_size(INPUT), semantic_size(INPUT)]


def make_picture(rng: np.random.Generator) -> np.ndarray:
    """Soft blobs of colour with some noise."""
    coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return cv2.add(smooth, rng.integers(0, 12, smooth.shape, dtype=np.uint8))


def make_outline(rng: np.random.Generator) -> np.ndarray:
    """A bumpy polygon [40, 2] of 10 % to 60 % of the picture's height."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 40))
    radii = HEIGHT * rng.uniform(0.05, 0.3) * rng.uniform(0.8, 1.2, (40, 1))
    points = rng.uniform(0.2, 0.8, 2) * (WIDTH, HEIGHT) + radii * np.stack(
        (np.cos(angles), np.sin(angles)), axis=1
    )
    return points.clip(0, (WIDTH, HEIGHT))


def make_annotations(outlines: list[np.ndarray], folder: Path) -> Annotations:
    """Image 0 has the objects as polygons, image 1 the same as run-length codes."""
    images = [{"id": n, "file_name": f"{n}.png", "height": HEIGHT, "width": WIDTH} for n in (0, 1)]
    objects = []
    for outline in outlines:
        filled = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.fillPoly(filled, [outline.round().astype(np.int32)], 1)
        flat = filled.T.ravel()
        edges = np.concatenate(([0], np.flatnonzero(np.diff(flat)) + 1, [flat.size]))
        counts = {"size": [HEIGHT, WIDTH], "counts": np.diff(edges).tolist()}
        x, y = outline.min(axis=0).tolist()
        width, height = np.ptp(outline, axis=0).tolist()
        for image_id, segmentation in enumerate(([outline.ravel().tolist()], counts)):
            objects.append(
                {
                    "id": len(objects),
                    "image_id": image_id,
                    "category_id": 0,
                    "bbox": [x, y, width, height],
                    "area": int(filled.sum()),
                    "iscrowd": 0,
                    "segmentation": segmentation,
                }
            )
    path = folder / "instances.json"
    path.write_text(
        json.dumps({"images": images, "annotations": objects, "categories": [{"id": 0, "name": "blob"}]})
    )
    return read_annotations(path)


def show_step_by_step(source: np.ndarray, window: Window, fill: tuple[int, ...]) -> np.ndarray:
    """What a window shows, through a canvas around the picture, at 550 x 550."""
    top, left = max(-window.top, 0), max(-window.left, 0)
    bottom = max(window.top + window.height - HEIGHT, 0)
    right = max(window.left + window.width - WIDTH, 0)
    canvas = cv2.copyMakeBorder(source, top, bottom, left, right, cv2.BORDER_CONSTANT, value=fill)
    x, y = window.left + left, window.top + top
    shown = canvas[y : y + window.height, x : x + window.width]
    return cv2.resize(np.ascontiguousarray(shown[:, ::-1] if window.flip else shown), INPUT[::-1])


def masks_step_by_step(known: Annotations, rows: np.ndarray, window: Window) -> list[np.ndarray]:
    """Full-size masks through the canvas, to 550 x 550, then to each size as the loss does it."""
    masks = [show_step_by_step(known.mask(row), window, (0,)) for row in rows.tolist()]
    return [resize_masks(torch.from_numpy(np.stack(masks)), size).numpy() for size in SIZES]


def measure(work: Callable[[Window, int], object], windows: list[Window]) -> tuple[float, float]:
    """Mean and median milliseconds over the windows."""
    work(windows[0], 0)
    times = []
    for number, window in enumerate(windows):
        start = time.perf_counter()
        work(window, number)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.mean(times), statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=200)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)

    rng = np.random.default_rng(0)
    picture = make_picture(rng)
    with tempfile.TemporaryDirectory() as folder:
        known = make_annotations([make_outline(rng) for _ in range(options.objects)], Path(folder))
    polygons, codes = (np.arange(known.rows(n).start, known.rows(n).stop) for n in (0, 1))
    boxes, iscrowd = known.boxes[polygons], known.iscrowd[polygons]
    augmentation = SsdAugmentation()
    windows = [augmentation.window((HEIGHT, WIDTH), boxes, iscrowd, rng) for _ in range(options.repeats)]

    def augment(window: Window, seed: int) -> None:
        generator = np.random.default_rng(seed)
        augmentation.window((HEIGHT, WIDTH), boxes, iscrowd, generator)
        augmentation.recolour(window.cut(picture, INPUT)[0], generator)
        rasterize(known, polygons, window, SIZES)

    parts: list[tuple[str, Callable[[Window, int], object]]] = [
        ("choice of the window", lambda _, seed: augmentation.window(
            (HEIGHT, WIDTH), boxes, iscrowd, np.random.default_rng(seed))),
        ("picture", lambda window, _: window.cut(picture, INPUT)),
        ("picture, step by step", lambda window, _: show_step_by_step(picture, window, augmentation.fill)),
        ("picture and colours", lambda window, seed: augmentation.recolour(
            window.cut(picture, INPUT)[0], np.random.default_rng(seed))),
        ("masks of polygons", lambda window, _: rasterize(known, polygons, window, SIZES)),
        ("masks of run lengths", lambda window, _: rasterize(known, codes, window, SIZES)),
        ("masks, step by step", lambda window, _: masks_step_by_step(known, polygons, window)),
        ("all, with polygons", augment),
    ]  # fmt: skip
    print(f"{WIDTH} x {HEIGHT} to 550 x 550, {options.objects} objects, one core, ms a picture")
    print(f"{'':26}{'mean':>8}{'median':>8}")
    for name, work in parts:
        mean, median = measure(work, windows)
        print(f"{name:26}{mean:8.2f}{median:8.2f}")


if __name__ == "__main__":
    main()
