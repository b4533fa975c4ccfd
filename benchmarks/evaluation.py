"""Evaluation: encoding and counting per image, 100 detections each, both counting libraries in one run.

    python benchmarks/evaluation.py [--images 200] [--threads 2]

Images of 640x427 with 7 objects of 80 classes, as in COCO; detections are ellipses on and around the objects.
"""

import argparse
import statistics
import time
from typing import Any

import numpy as np
import torch

from yolact_pl.evaluation.coco_ap import CocoEvaluator
from yolact_pl.evaluation.counting import BACKENDS
from yolact_pl.evaluation.encoding import encode_masks
from yolact_pl.evaluation.ground_truth import mask_api
from yolact_pl.structures import Detections

HEIGHT, WIDTH, CLASSES, OBJECTS, DETECTIONS = 427, 640, 80, 7, 100


def ellipses(centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """[N, H, W] bool."""
    y, x = np.arange(HEIGHT)[:, None] + 0.5, np.arange(WIDTH) + 0.5
    centres, radii = centres[:, :, None, None], radii[:, :, None, None]
    return ((x - centres[:, 0]) / radii[:, 0]) ** 2 + ((y - centres[:, 1]) / radii[:, 1]) ** 2 < 1


def image(rng: np.random.Generator) -> tuple[list[dict[str, Any]], Detections]:
    """Annotations and detections of one image."""
    centres = rng.uniform((0, 0), (WIDTH, HEIGHT), (OBJECTS, 2))
    radii = rng.lognormal(3.3, 0.9, (OBJECTS, 2)).clip(3, 200)
    labels = rng.integers(0, CLASSES, OBJECTS)
    annotations = []
    for mask, centre, radius, label in zip(ellipses(centres, radii), centres, radii, labels, strict=True):
        rle = mask_api.encode(np.asfortranarray(mask, dtype=np.uint8))
        annotations.append(
            {
                "category_id": int(label) + 1,
                "segmentation": rle,
                "area": int(mask.sum()),
                "bbox": [*(centre - radius).tolist(), *(2 * radius).tolist()],
            }
        )
    source = rng.integers(0, OBJECTS, DETECTIONS)
    centres = centres[source] + rng.normal(0, 0.2, (DETECTIONS, 2)) * radii[source]
    radii = radii[source] * rng.uniform(0.8, 1.2, (DETECTIONS, 2))
    labels = np.where(rng.random(DETECTIONS) < 0.3, labels[source], rng.integers(0, CLASSES, DETECTIONS))
    scores = torch.from_numpy(np.sort(rng.random(DETECTIONS))[::-1].astype(np.float32).copy())
    detections = Detections(
        boxes=torch.from_numpy(np.concatenate((centres - radii, centres + radii), axis=1)).float(),
        scores=scores,
        mask_scores=scores,
        labels=torch.from_numpy(labels),
        masks=torch.from_numpy(ellipses(centres, radii)),
    )
    return annotations, detections


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    rng = np.random.default_rng(0)
    content: dict[str, Any] = {"images": [], "annotations": []}
    content["categories"] = [{"id": n + 1} for n in range(CLASSES)]
    names = [str(n) for n in range(CLASSES)]
    evaluators = {b: CocoEvaluator(content, range(1, CLASSES + 1), names, backend=b) for b in BACKENDS}
    ours, pycocotools = [], []
    for image_id in range(1, args.images + 1):
        annotations, detections = image(rng)
        content["images"].append({"id": image_id, "height": HEIGHT, "width": WIDTH})
        content["annotations"] += [a | {"image_id": image_id} for a in annotations]
        start = time.perf_counter()
        evaluators[BACKENDS[0]].add(image_id, detections)
        ours.append(time.perf_counter() - start)
        masks = detections["masks"].numpy()
        start = time.perf_counter()
        plain = mask_api.encode(np.asfortranarray(masks.transpose(1, 2, 0), dtype=np.uint8))
        pycocotools.append(time.perf_counter() - start)
        assert [rle["counts"].decode() for rle in plain] == encode_masks(masks), "the encodings disagree"

    rows = evaluators[BACKENDS[0]].rows
    print(f"| evaluation, {DETECTIONS} detections an image, {args.images} images | ms an image |")
    print("|---|---|")
    print(f"| encode masks, pycocotools | {1000 * statistics.median(pycocotools):.2f} |")
    print(f"| encode masks and the rest of a result, ours | {1000 * statistics.median(ours):.2f} |")
    for backend, evaluator in evaluators.items():
        evaluator.evaluate(rows[:1])  # prepare the annotations, once in a run
        start = time.perf_counter()
        metrics = evaluator.evaluate(rows)
        elapsed = 1000 * (time.perf_counter() - start) / args.images
        print(f"| count boxes and masks, {backend} (mask AP {100 * metrics.mask.all:.3f}) | {elapsed:.2f} |")


if __name__ == "__main__":
    main()
