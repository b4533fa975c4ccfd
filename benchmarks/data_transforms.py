"""Time of augmenting a picture, beside doing it one step after the other.

    python benchmarks/data_transforms.py [--objects 7] [--repeats 200]

A picture of 640 x 480 becomes an input of 550 x 550 with the masks of its objects at 138 x 138 and 69 x 69.
"Step by step" puts the picture and all full-size masks on a canvas, crops, mirrors and resizes them, each in
bytes; the published formulation, in float, is in `data.py`. One core.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
import torch
from alternating import compare, print_rows
from pictures import HEIGHT, WIDTH, bumpy_outline, photo_like

from yolact_pl.data.annotations.annotations import Annotations, read_annotations
from yolact_pl.data.annotations.rasterize import prototype_size, rasterize, semantic_size
from yolact_pl.data.augmentation.transforms import SsdAugmentation
from yolact_pl.data.augmentation.window import Window
from yolact_pl.geometry.masks import resize_masks

INPUT = (550, 550)
SIZES = [prototype_size(INPUT), semantic_size(INPUT)]


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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=200)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)

    rng = np.random.default_rng(0)
    picture = photo_like(rng)
    with tempfile.TemporaryDirectory() as folder:
        known = make_annotations([bumpy_outline(rng) for _ in range(options.objects)], Path(folder))
    polygons, codes = (np.arange(known.rows(n).start, known.rows(n).stop) for n in (0, 1))
    boxes, iscrowd = known.boxes[polygons], known.iscrowd[polygons]
    augment = SsdAugmentation()
    windows = [augment.window((HEIGHT, WIDTH), boxes, iscrowd, rng) for _ in range(options.repeats)]

    def each(work: Callable[[Window], object]) -> Callable[[], object]:
        """The next window at each call."""
        following = cycle(windows)
        return lambda: work(next(following))

    stages: dict[str, dict[str, Callable[[Window], object]]] = {
        "cut and resize a picture": {
            "step by step": lambda window: show_step_by_step(picture, window, augment.fill),
            "this project": lambda window: window.cut(picture, INPUT),
        },
        f"masks of {options.objects} objects": {
            "step by step, polygons": lambda window: masks_step_by_step(known, polygons, window),
            "this project, polygons": lambda window: rasterize(known, polygons, window, SIZES),
            "step by step, run lengths": lambda window: masks_step_by_step(known, codes, window),
            "this project, run lengths": lambda window: rasterize(known, codes, window, SIZES),
        },
    }
    rows = []
    for stage, variants in stages.items():
        calls = {name: each(work) for name, work in variants.items()}
        rows += compare(stage, calls, repeats=options.repeats)
    print_rows(rows)


if __name__ == "__main__":
    main()
