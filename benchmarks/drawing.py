"""How long it takes to draw objects on a frame, on one core, beside the other ways to do it.

    python benchmarks/drawing.py [--repeats 10]

The published formulation blends all masks as float tensors over the whole frame. supervision is timed if it
is installed (`pip install supervision`).
"""

import argparse
from collections.abc import Callable

import cv2
import numpy as np
import torch
from alternating import compare, print_rows
from numpy.typing import NDArray
from torchvision.utils import draw_bounding_boxes, draw_segmentation_masks

from yolact_pl.inference.drawing.colors import index_color
from yolact_pl.inference.drawing.draw import draw_detections
from yolact_pl.results.detections import Detections

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
    return Detections.from_masks(
        boxes=boxes,
        scores=np.sort(random.uniform(0.2, 1, count))[::-1],
        labels=random.integers(0, len(CLASS_NAMES), count),
        masks=masks.view(bool),
    )


def published_draw(image: NDArray[np.uint8], detections: Detections) -> NDArray[np.uint8]:
    labels, scores = detections.labels.tolist(), detections.scores.tolist()
    colors = [index_color(label) for label in labels]
    pixels = torch.from_numpy(image).float() / 255
    masks = torch.from_numpy(detections.masks).float()[..., None]
    mask_colors = masks * torch.tensor(colors).view(-1, 1, 1, 3) / 255 * 0.45
    transparency = 1 - 0.45 * masks
    behind = transparency[:-1].cumprod(dim=0)
    shade = mask_colors[0] + (mask_colors[1:] * behind).sum(dim=0)
    drawn = ((pixels * transparency.prod(dim=0) + shade) * 255).byte().numpy()
    for box, label, score, color in zip(
        detections.boxes.astype(int).tolist(), labels, scores, colors, strict=True
    ):
        cv2.rectangle(drawn, tuple(box[:2]), tuple(box[2:]), color, 1)
        text, font = f"{CLASS_NAMES[label]}: {score:.2f}", cv2.FONT_HERSHEY_DUPLEX
        (width, height), _ = cv2.getTextSize(text, font, 0.6, 1)
        cv2.rectangle(drawn, (box[0], box[1]), (box[0] + width, box[1] - height - 4), color, -1)
        cv2.putText(drawn, text, (box[0], box[1] - 3), font, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
    return drawn


def torchvision_draw(image: NDArray[np.uint8], detections: Detections) -> NDArray[np.uint8]:
    pixels = torch.from_numpy(image).permute(2, 0, 1)
    labels, scores = detections.labels.tolist(), detections.scores.tolist()
    colors = [index_color(label) for label in labels]
    texts = [f"{CLASS_NAMES[label]} {score:.2f}" for label, score in zip(labels, scores, strict=True)]
    pixels = draw_segmentation_masks(pixels, torch.from_numpy(detections.masks), alpha=0.45, colors=colors)
    pixels = draw_bounding_boxes(pixels, torch.from_numpy(detections.boxes), texts, colors=colors, width=3)
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
        labels, scores = detections.labels, detections.scores
        converted = supervision.Detections(
            xyxy=detections.boxes,
            mask=detections.masks,
            confidence=scores,
            class_id=labels,
        )
        out = image.copy()
        texts = [f"{CLASS_NAMES[label]} {score:.2f}" for label, score in zip(labels, scores, strict=True)]
        for annotator in annotators[:-1]:
            out = annotator.annotate(out, converted)
        return annotators[-1].annotate(out, converted, labels=texts)

    return draw


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=10)
    repeats = parser.parse_args().repeats
    cv2.setNumThreads(1)
    torch.set_num_threads(1)

    ways: dict[str, Callable[[NDArray[np.uint8], Detections], object]] = {
        "published formulation": published_draw,
        "torchvision.utils": torchvision_draw,
    }
    if (draw := supervision_draw()) is not None:
        ways["supervision"] = draw
    ways["this project"] = lambda image, found: draw_detections(image, found, CLASS_NAMES)
    rows = []
    for height, width, count in ((1080, 1920, 20), (480, 640, 20), (480, 640, 100)):
        image = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
        found = synthetic_detections(height, width, count)
        rows += compare(
            f"draw {count} objects at {width} x {height}",
            {name: lambda way=way, i=image, f=found: way(i, f) for name, way in ways.items()},
            repeats=repeats,
            warmup=1,
        )
    print_rows(rows)


if __name__ == "__main__":
    main()
