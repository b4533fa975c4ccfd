"""How long it takes to draw 20 objects on a 1080p frame, on one core, beside the libraries that could do it.

Usage: python benchmarks/drawing.py [--repeats 30]

supervision is timed if it is installed (`pip install supervision`).
"""

import argparse
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.utils import draw_bounding_boxes, draw_segmentation_masks

from yolact_pl.inference.colors import index_color
from yolact_pl.inference.draw import draw_detections
from yolact_pl.structures import Detections

CLASS_NAMES = [f"class {index}" for index in range(80)]


def synthetic_detections(height: int, width: int, count: int, seed: int = 0) -> Detections:
    """Ellipses of random place and size with their boxes, best first."""
    random = np.random.default_rng(seed)
    masks = np.zeros((count, height, width), dtype=np.uint8)
    boxes = []
    for mask in masks:
        centre = random.uniform((0.1 * width, 0.1 * height), (0.9 * width, 0.9 * height)).astype(int)
        axes = random.uniform(0.03, 0.14, 2) * height + 2
        cv2.ellipse(mask, centre.tolist(), axes.astype(int).tolist(), random.uniform(0, 180), 0, 360, 1, -1)
        x, y, w, h = cv2.boundingRect(mask)
        boxes.append((x, y, x + w, y + h))
    scores = torch.from_numpy(np.sort(random.uniform(0.2, 1, count))[::-1].astype(np.float32))
    return Detections(
        boxes=torch.tensor(boxes, dtype=torch.float32),
        scores=scores,
        mask_scores=scores,
        labels=torch.from_numpy(random.integers(0, len(CLASS_NAMES), count)),
        masks=torch.from_numpy(masks.view(bool)),
    )


def torchvision_draw(image: NDArray[np.uint8], detections: Detections) -> NDArray[np.uint8]:
    pixels = torch.from_numpy(image).permute(2, 0, 1)
    labels, scores = detections["labels"].tolist(), detections["scores"].tolist()
    colors = [index_color(label) for label in labels]
    texts = [f"{CLASS_NAMES[label]} {score:.2f}" for label, score in zip(labels, scores, strict=True)]
    pixels = draw_segmentation_masks(pixels, detections["masks"], alpha=0.45, colors=colors)
    pixels = draw_bounding_boxes(pixels, detections["boxes"], texts, colors=colors, width=3)
    return pixels.permute(1, 2, 0).numpy()


def supervision_draw() -> Callable[[NDArray[np.uint8], Detections], NDArray[np.uint8]] | None:
    try:
        import supervision
    except ImportError:
        return None
    annotators = (
        supervision.MaskAnnotator(),
        supervision.PolygonAnnotator(),
        supervision.BoxAnnotator(),
        supervision.LabelAnnotator(),
    )

    def draw(image: NDArray[np.uint8], detections: Detections) -> NDArray[np.uint8]:
        labels, scores = detections["labels"].numpy(), detections["scores"].numpy()
        converted = supervision.Detections(
            xyxy=detections["boxes"].numpy(),
            mask=detections["masks"].numpy(),
            confidence=scores,
            class_id=labels,
        )
        out = image.copy()
        texts = [f"{CLASS_NAMES[label]} {score:.2f}" for label, score in zip(labels, scores, strict=True)]
        for annotator in annotators[:-1]:
            out = annotator.annotate(out, converted)
        return annotators[-1].annotate(out, converted, labels=texts)

    return draw


def milliseconds(call: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median and 90th percentile, after three calls that do not count."""
    times = []
    for repeat in range(repeats + 3):
        start = time.perf_counter()
        call()
        if repeat >= 3:
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times), statistics.quantiles(times, n=10)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=30)
    repeats = parser.parse_args().repeats
    cv2.setNumThreads(1)
    torch.set_num_threads(1)

    print(f"{'what':34} {'median ms':>10} {'90 % ms':>10}")
    for height, width, count in ((1080, 1920, 20), (1080, 1920, 100), (480, 640, 20), (3000, 4000, 20)):
        image = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
        found = synthetic_detections(height, width, count)
        ways: dict[str, Callable[[NDArray[np.uint8], Detections], object]] = {
            "ours": lambda image, found: draw_detections(image, found, CLASS_NAMES),
            "torchvision.utils": torchvision_draw,
        }
        if (draw := supervision_draw()) is not None:
            ways["supervision"] = draw
        for name, way in ways.items():
            median, slow = milliseconds(lambda way=way, image=image, found=found: way(image, found), repeats)
            print(f"{f'{width}x{height}, {count} objects, {name}':34} {median:10.1f} {slow:10.1f}")


if __name__ == "__main__":
    main()
