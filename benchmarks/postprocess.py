"""Detection and masks: fast NMS and 100 masks at 640x427, beside the plain way of computing the same.

    python benchmarks/postprocess.py [--repeats 15] [--threads 2] [--device cpu]

Predictions are synthetic, with a fixed seed: 19,248 anchors and 80 classes as at 550 px, objects that many
anchors agree on. "plain" is the direct reading of the paper: softmax of every anchor, IoU of all pairs of 200
candidates in each of the 80 classes, every mask interpolated over the whole image.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from yolact_pl.geometry.boxes import box_iou, decode_boxes, encode_boxes
from yolact_pl.geometry.masks import assemble_masks, crop_masks
from yolact_pl.postprocess import Postprocess
from yolact_pl.structures import Predictions

SIZE = 550
IMAGE = (427, 640)
CLASSES = 80


def synthetic_predictions(objects: int, device: str) -> Predictions:
    """Predictions of one image: `objects` boxes that the anchors near them report, the rest background."""
    generator = torch.Generator().manual_seed(0)

    def uniform(*shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return torch.rand(*shape, generator=generator) * (high - low) + low

    levels = []
    for cells, scale in ((69, 24.0), (35, 48.0), (18, 96.0), (9, 192.0), (5, 384.0)):
        centre = (torch.arange(cells) + 0.5) * SIZE / cells
        y, x = torch.meshgrid(centre, centre, indexing="ij")
        sides = torch.tensor([scale, scale * 0.7, scale * 1.4]) / 2
        x, y = x.reshape(-1, 1), y.reshape(-1, 1)
        levels.append(torch.stack((x - sides, y - sides, x + sides, y + sides), dim=-1).view(-1, 4))
    anchors = torch.cat(levels)

    centre, side = uniform(objects, 2, low=40, high=SIZE - 40), uniform(objects, 2, low=25, high=250)
    boxes = torch.cat((centre - side / 2, centre + side / 2), dim=1)
    overlap, nearest = box_iou(anchors, boxes).max(dim=1)
    logits = uniform(len(anchors), 1 + CLASSES, low=-1, high=1)
    logits[:, 0] += 9
    labels = torch.randint(1, 1 + CLASSES, (objects,), generator=generator)
    rows = (overlap > 0.4).nonzero()[:, 0]
    logits[rows, labels[nearest[rows]]] += 8 + 6 * overlap[rows]
    deltas = uniform(len(anchors), 4, low=-0.3, high=0.3)
    deltas[rows] += encode_boxes(boxes[nearest[rows]], anchors[rows])
    prototypes = F.interpolate(uniform(1, 32, 12, 12), (138, 138), mode="bicubic").clamp(min=0)
    return Predictions(
        class_logits=logits[None].to(device),
        box_deltas=deltas[None].to(device),
        coefficients=uniform(1, len(anchors), 32, low=-1, high=1).to(device),
        prototypes=prototypes.to(device),
        anchors=anchors.to(device),
        semantic_logits=None,
        image_size=(SIZE, SIZE),
    )


def plain_nms(predictions: Predictions) -> tuple[Tensor, Tensor, Tensor]:
    scores = predictions.class_logits[0].softmax(dim=1)[:, 1:].t()
    boxes = decode_boxes(predictions.box_deltas[0], predictions.anchors)
    kept = scores.amax(dim=0) > 0.05
    scores, boxes, coefficients = scores[:, kept], boxes[kept], predictions.coefficients[0, kept]
    scores, index = scores.sort(dim=1, descending=True)
    scores, index = scores[:, :200], index[:, :200]
    iou = box_iou(boxes[index], boxes[index]).triu_(diagonal=1)
    survives = iou.amax(dim=1) <= 0.5
    scores, order = scores[survives].sort(descending=True)
    index = index[survives][order[:100]]
    return scores[:100], boxes[index], coefficients[index]


def plain_masks(predictions: Predictions, boxes: Tensor, coefficients: Tensor) -> Tensor:
    masks = crop_masks(assemble_masks(predictions.prototypes[0], coefficients).sigmoid(), boxes * 138 / SIZE)
    return F.interpolate(masks[None], IMAGE, mode="bilinear", align_corners=False)[0] > 0.5


def alternate(variants: dict[str, Callable[[], object]], repeats: int, device: str) -> dict[str, float]:
    """Median milliseconds of each variant, run in turn so that all see the same machine."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for repeat in range(repeats + 2):
        for name, run in variants.items():
            if device != "cpu":
                torch.cuda.synchronize()
            start = time.perf_counter()
            run()
            if device != "cpu":
                torch.cuda.synchronize()
            if repeat >= 2:
                times[name].append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    print(f"| {args.device}, {args.threads} threads | kept anchors | plain ms | ours ms | ratio |")
    print("|---|---|---|---|---|")
    for objects in (5, 20, 60):
        predictions = synthetic_predictions(objects, args.device)
        postprocess = Postprocess(max_detections=100)
        scores, boxes, coefficients = plain_nms(predictions)
        found = postprocess(predictions, [IMAGE])[0]
        masks = plain_masks(predictions, boxes, coefficients)
        assert torch.allclose(found["scores"], scores, atol=1e-6), "the two ways disagree"
        assert (found["masks"] != masks).float().mean() < 1e-5, "the two ways disagree"
        kept = int((predictions.class_logits[0].softmax(1)[:, 1:].amax(1) > 0.05).sum())
        result = alternate(
            {
                "plain": lambda p=predictions: plain_masks(p, *plain_nms(p)[1:]),
                "ours": lambda p=predictions, run=postprocess: run(p, [IMAGE]),
            },
            args.repeats,
            args.device,
        )
        plain, ours = result["plain"], result["ours"]
        row = f"fast NMS + masks, {objects} objects, {len(scores)} detections"
        print(f"| {row} | {kept} | {plain:.1f} | {ours:.1f} | {plain / ours:.1f}x |")


if __name__ == "__main__":
    main()
