"""What evaluation adds to the network's time: encoding and counting of 100 detections an image.

    python benchmarks/evaluation.py [--images 5000] [--threads 2]

Images of 640 x 427 with 7 objects of 80 classes, as in COCO; detections are ellipses on and around the
objects. A few images are made and stand for all. Both are compared with pycocotools, whose counting takes so
long that it sees only some of the images. The network is yolact_resnet50 at 550 px, in batches.
"""

import argparse
import json
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from alternating import Row, compare, print_rows
from sure_network import CLASS_NAMES, SIZE, sure_predictor

from yolact_pl.data.annotations.annotations import Annotations, read_annotations
from yolact_pl.data.annotations.segmentations import mask_api
from yolact_pl.evaluation.coco_ap import CocoAveragePrecision
from yolact_pl.results.detections import Detections
from yolact_pl.results.encoding import ImageResults, encode_detections, encode_masks
from yolact_pl.results.masks import PixelMasks

HEIGHT, WIDTH, OBJECTS, DETECTIONS = 427, 640, 7, 100
CLASSES = len(CLASS_NAMES)
CATEGORIES = range(1, CLASSES + 1)
MADE = 40
"""Images; the others repeat them."""
BATCH = 4


def ellipses(centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """[N, H, W] bool."""
    masks = np.zeros((len(centres), HEIGHT, WIDTH), np.uint8)
    for mask, centre, radius in zip(masks, centres.astype(int), radii.astype(int), strict=True):
        cv2.ellipse(mask, centre.tolist(), radius.tolist(), 0, 0, 360, 1, -1)
    return masks.view(bool)


def make_image(rng: np.random.Generator) -> tuple[list[dict[str, Any]], Detections]:
    """Annotations and detections of one image."""
    centres = rng.uniform((0, 0), (WIDTH, HEIGHT), (OBJECTS, 2))
    radii = rng.lognormal(3.3, 0.9, (OBJECTS, 2)).clip(3, 200)
    labels = rng.integers(0, CLASSES, OBJECTS)
    annotations = []
    for mask, centre, radius, label in zip(ellipses(centres, radii), centres, radii, labels, strict=True):
        annotations.append(
            {
                "category_id": int(label) + 1,
                "segmentation": {
                    "size": [HEIGHT, WIDTH],
                    "counts": encode_masks(PixelMasks.of(mask[None]))[0],
                },
                "area": int(mask.sum()),
                "bbox": [*(centre - radius).tolist(), *(2 * radius).tolist()],
            }
        )
    source = rng.integers(0, OBJECTS, DETECTIONS)
    centres = centres[source] + rng.normal(0, 0.2, (DETECTIONS, 2)) * radii[source]
    radii = radii[source] * rng.uniform(0.8, 1.2, (DETECTIONS, 2))
    labels = np.where(rng.random(DETECTIONS) < 0.3, labels[source], rng.integers(0, CLASSES, DETECTIONS))
    detections = Detections.from_masks(
        boxes=np.concatenate((centres - radii, centres + radii), axis=1),
        scores=np.sort(rng.random(DETECTIONS))[::-1],
        labels=labels,
        masks=ellipses(centres, radii),
    )
    return annotations, detections


def pycocotools_encoding(masks: np.ndarray) -> list[str]:
    """[N, H, W] bool."""
    encoded = mask_api.encode(np.asfortranarray(masks.transpose(1, 2, 0), dtype=np.uint8))
    return [rle["counts"].decode() for rle in encoded]


def repeated(
    made: list[tuple[list[dict[str, Any]], ImageResults]], images: int
) -> tuple[Annotations, list[ImageResults]]:
    """Annotations and results of so many images."""
    content: dict[str, Any] = {
        "images": [
            {"id": n, "file_name": f"{n}.jpg", "height": HEIGHT, "width": WIDTH} for n in range(images)
        ],
        "annotations": [],
        "categories": [{"id": n, "name": name} for n, name in zip(CATEGORIES, CLASS_NAMES, strict=True)],
    }
    rows = []
    for image_id, (annotations, results) in enumerate(islice(cycle(made), images)):
        content["annotations"] += [a | {"image_id": image_id} for a in annotations]
        rows.append(results._replace(image_id=image_id))
    for number, annotation in enumerate(content["annotations"], start=1):
        annotation["id"] = number
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "instances.json"
        path.write_text(json.dumps(content))
        return read_annotations(path), rows


def counting(made: list[tuple[list[dict[str, Any]], ImageResults]], images: int, backend: str) -> float:
    """Milliseconds per image to count the boxes and masks of so many; the truth is prepared before."""
    known, rows = repeated(made, images)
    ap = CocoAveragePrecision(known, backend=backend)
    for i in range(known.num_images):
        ap.ground_truth.objects(i)
    start = time.perf_counter()
    ap.summarize(rows)
    return 1000 * (time.perf_counter() - start) / images


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--compared", type=int, default=300, help="images that pycocotools counts too")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    rng = np.random.default_rng(0)
    images = [make_image(rng) for _ in range(min(MADE, args.images))]
    made = [(annotations, encode_detections(0, found, CATEGORIES)) for annotations, found in images]
    for _, found in images[:5]:
        assert pycocotools_encoding(found.masks) == encode_masks(found.small_masks), "the encodings disagree"
    turns = {name: cycle(images) for name in ("pycocotools", "this project", "evaluation")}

    def encode(name: str) -> ImageResults:
        return encode_detections(0, next(turns[name])[1], CATEGORIES)

    rows = compare(
        f"encode {DETECTIONS} masks at {WIDTH} x {HEIGHT}",
        {
            "pycocotools": lambda: pycocotools_encoding(next(turns["pycocotools"])[1].masks),
            "this project": lambda: encode("this project"),
        },
        repeats=args.repeats,
    )
    compared = min(args.compared, args.images)
    slow, fast = (counting(made, compared, backend) for backend in ("pycocotools", "faster_coco_eval"))
    stage = f"count boxes and masks of {compared:,} images"
    rows += [Row(stage, "pycocotools", slow, 1.0), Row(stage, "this project", fast, slow / fast)]

    predictor = sure_predictor(DETECTIONS)
    inputs = torch.rand(BATCH, 3, SIZE, SIZE) * 255
    network, encoding = compare(
        f"evaluate {args.images:,} images with {DETECTIONS} detections",
        {
            "network": lambda: predictor.forward([inputs]),
            "encode": lambda: [encode("evaluation") for _ in range(BATCH)],
        },
        repeats=max(args.repeats // 3, 1),
        warmup=1,
        per=BATCH,
    )
    count = counting(made, args.images, "faster_coco_eval")
    both = encoding.milliseconds + count
    rows += [
        network,
        encoding,
        Row(network.stage, "count", count, network.milliseconds / count),
        Row(network.stage, "encode and count", both, network.milliseconds / both),
    ]
    print(f"{args.threads} threads, ms an image\n")
    print_rows(rows)


if __name__ == "__main__":
    main()
