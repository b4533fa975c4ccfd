"""Detection and masks: fast NMS and 100 masks at 640 x 427, beside the published formulation.

    python benchmarks/postprocess.py [--repeats 15] [--threads 2] [--device cpu]

Predictions are synthetic, with a fixed seed: 19,248 anchors and 80 classes as at 550 px, objects that many
anchors agree on. The published formulation takes softmax and box of every anchor, the IoU of all pairs
of 200 candidates in each of the 80 classes, and interpolates every mask over the whole image. That both find
the same is checked first.
"""

import argparse

import numpy as np
import torch
import torch.nn.functional as F
from alternating import compare, print_rows
from torch import Tensor

from yolact_pl.decoders.anchor_decoder import AnchorDecoder
from yolact_pl.geometry.boxes import box_iou
from yolact_pl.postprocess import Postprocess
from yolact_pl.structures import Predictions

SIZE = 550
IMAGE = (427, 640)
DETECTIONS = 100
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
    deltas[rows] += AnchorDecoder().encode(boxes[nearest[rows]], anchors[rows])
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


def plain_detections(predictions: Predictions) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scores, labels, boxes (pixels of the input) and coefficients of the best that fast NMS leaves."""
    scores = predictions.class_logits[0].softmax(dim=1).t().contiguous()[1:]  # [C, A]
    boxes = AnchorDecoder().decode(predictions.box_deltas[0], predictions.anchors)
    kept = scores.max(dim=0).values > 0.05
    scores, boxes, coefficients = scores[:, kept], boxes[kept], predictions.coefficients[0][kept]
    scores, index = scores.sort(dim=1, descending=True)
    scores, index = scores[:, :200].contiguous(), index[:, :200]
    boxes, coefficients = boxes[index], coefficients[index]  # [C, 200, 4], [C, 200, K]
    survives = plain_iou(boxes).triu_(diagonal=1).max(dim=1).values <= 0.5
    labels = torch.arange(len(scores), device=scores.device)[:, None].expand_as(survives)
    best, order = scores[survives].sort(descending=True)
    order = order[:DETECTIONS]
    return best[:DETECTIONS], labels[survives][order], boxes[survives][order], coefficients[survives][order]


def plain_iou(boxes: Tensor) -> Tensor:
    """[C, L, 4] to [C, L, L]."""
    low = torch.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    high = torch.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    sides = (high - low).clamp(min=0)
    overlap = sides[..., 0] * sides[..., 1]
    area = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    return overlap / (area[:, :, None] + area[:, None, :] - overlap)


def plain_masks(predictions: Predictions, boxes: Tensor, coefficients: Tensor) -> Tensor:
    """[N, *IMAGE] bool."""
    prototypes = (
        predictions.prototypes[0].permute(1, 2, 0).contiguous()
    )  # [h, w, K], as its network gives them
    masks = (prototypes @ coefficients.t()).sigmoid()
    height, width = masks.shape[:2]
    x1, y1, x2, y2 = (boxes * (width / SIZE)).unbind(1)
    x1, y1, x2, y2 = (
        (x1 - 1).clamp(min=0),
        (y1 - 1).clamp(min=0),
        (x2 + 1).clamp(max=width),
        (y2 + 1).clamp(max=height),
    )
    columns = torch.arange(width, device=masks.device).view(1, -1, 1).expand_as(masks)
    rows = torch.arange(height, device=masks.device).view(-1, 1, 1).expand_as(masks)
    inside = (columns >= x1) & (columns < x2) & (rows >= y1) & (rows < y2)
    masks = (masks * inside.float()).permute(2, 0, 1).contiguous()
    return F.interpolate(masks[None], IMAGE, mode="bilinear", align_corners=False)[0] > 0.5


def check_same(predictions: Predictions, postprocess: Postprocess) -> None:
    """Both ways find the same; a few pixels on the edge of a mask may be rounded differently."""
    found = postprocess(predictions, [IMAGE])[0]
    scores, labels, boxes, coefficients = plain_detections(predictions)
    assert len(scores) == DETECTIONS, f"{len(scores)} detections instead of {DETECTIONS}"
    assert np.allclose(found.scores, scores.cpu(), atol=1e-6), "the scores differ"
    assert np.array_equal(found.labels, labels.cpu()), "the classes differ"
    different = (found.masks != plain_masks(predictions, boxes, coefficients).cpu().numpy()).mean()
    assert different < 1e-5, f"{different:.1e} of the masks' pixels differ"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    postprocess = Postprocess(max_detections=DETECTIONS)
    options = {"repeats": args.repeats, "device": args.device}
    print(f"{args.device}, {args.threads} threads\n")
    rows = []
    for objects in (5, 20, 60):
        predictions = synthetic_predictions(objects, args.device)
        check_same(predictions, postprocess)
        *_, boxes, coefficients = plain_detections(predictions)
        chosen = postprocess.choose(predictions, 0)
        name = f"of {DETECTIONS} detections at {IMAGE[1]} x {IMAGE[0]}, {objects} objects"

        def plain(p: Predictions = predictions) -> Tensor:
            return plain_masks(p, *plain_detections(p)[2:])

        rows += compare(
            f"fast NMS and masks {name}",
            {
                "published formulation": plain,
                "this project": lambda p=predictions: postprocess(p, [IMAGE])[0].masks,
            },
            **options,
        )
        rows += compare(
            f"fast NMS {name}",
            {
                "published formulation": lambda p=predictions: plain_detections(p),
                "this project": lambda p=predictions: postprocess.choose(p, 0),
            },
            **options,
        )
        rows += compare(
            f"masks {name}",
            {
                "published formulation": lambda p=predictions, b=boxes, c=coefficients: plain_masks(p, b, c),
                "this project": lambda p=predictions, c=chosen: (
                    postprocess.finish(p, 0, c).on_cpu().in_image(IMAGE).masks
                ),
            },
            **options,
        )
    print_rows(rows)


if __name__ == "__main__":
    main()
