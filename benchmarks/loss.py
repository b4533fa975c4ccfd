"""Time of the loss and of matching: `python benchmarks/loss.py [--threads N] [--device cpu|cuda]`."""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from yolact_pl.losses.classification import HardNegativeCrossEntropy
from yolact_pl.losses.matching import match_anchors
from yolact_pl.losses.yolact_loss import YolactLoss
from yolact_pl.models.anchors import Anchors
from yolact_pl.structures import Predictions, Target

SIZE = 550
LEVELS = [(69, 69), (35, 35), (18, 18), (9, 9), (5, 5)]
SCALES = (24, 48, 96, 192, 384)
NUM_CLASSES, NUM_PROTOTYPES = 80, 32


def make_anchors(octaves: int) -> Tensor:
    """19,248 anchors as in YOLACT with one octave, 57,744 as in YOLACT++ with three."""
    return Anchors(SCALES, (1.0, 0.5, 2.0), octaves=octaves)(LEVELS, (SIZE, SIZE))


def make_target(generator: torch.Generator, num_objects: int) -> Target:
    """Elliptic objects of 2 % to 80 % of the image's side, evenly in the logarithm."""
    size = SIZE * 0.02 * 40 ** torch.rand(num_objects, 2, generator=generator)
    centre = size / 2 + (SIZE - size) * torch.rand(num_objects, 2, generator=generator)
    x, y, w, h = (torch.cat((centre, size), dim=1) * 138 / SIZE).T[:, :, None, None]
    grid = torch.arange(138) + 0.5
    return Target(
        boxes=torch.cat((centre - size / 2, centre + size / 2), dim=1),
        labels=torch.randint(NUM_CLASSES, (num_objects,), generator=generator),
        masks=((grid - x) / w) ** 2 + ((grid[:, None] - y) / h) ** 2 <= 0.25,
        iscrowd=torch.zeros(num_objects, dtype=torch.bool),
        image_id=0,
        size=(SIZE, SIZE),
    )


def make_predictions(generator: torch.Generator, batch_size: int, anchors: Tensor) -> Predictions:
    """What a half trained network might say."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return Predictions(
        class_logits=normal(batch_size, len(anchors), 1 + NUM_CLASSES),
        box_deltas=normal(batch_size, len(anchors), 4),
        coefficients=normal(batch_size, len(anchors), NUM_PROTOTYPES).tanh(),
        prototypes=normal(batch_size, NUM_PROTOTYPES, 138, 138).relu(),
        anchors=anchors,
        semantic_logits=normal(batch_size, NUM_CLASSES, 69, 69) - 3,
        image_size=(SIZE, SIZE),
    )


def to_device(
    predictions: Predictions, targets: list[Target], device: str
) -> tuple[Predictions, list[Target]]:
    """Both there; the predictions as leaves that want a gradient, but for the anchors."""
    leaves = {
        name: value.to(device).requires_grad_(name != "anchors")
        for name, value in predictions._asdict().items()
        if isinstance(value, Tensor)
    }
    for target in targets:
        for key in ("boxes", "labels", "masks", "iscrowd"):
            target[key] = target[key].to(device)
    return predictions._replace(**leaves), targets


def median_ms(run: Callable[[], object], repeats: int, device: str) -> float:
    """Median time of a call after two calls to warm up."""
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        run()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[2:])


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    generator = torch.Generator().manual_seed(0)
    rows = []
    for octaves in (1, 3):
        predictions = make_predictions(generator, 1, make_anchors(octaves))
        predictions, targets = to_device(predictions, [make_target(generator, 50)], args.device)
        anchors = predictions.anchors
        ms = median_ms(lambda a=anchors, t=targets: match_anchors(a, t), args.repeats, args.device)
        rows.append((f"matching, 1 image, 50 objects, {len(anchors):,} anchors", ms))

    predictions = make_predictions(generator, 8, make_anchors(1))
    targets = [make_target(generator, n) for n in (3, 5, 7, 9, 10, 12, 15, 20)]
    predictions, targets = to_device(predictions, targets, args.device)
    loss = YolactLoss(HardNegativeCrossEntropy())

    def backward() -> None:
        for leaf in predictions:
            if isinstance(leaf, Tensor):
                leaf.grad = None
        torch.stack(list(loss(predictions, targets).values())).sum().backward()

    def forward() -> None:
        loss(predictions, targets)

    num_positives = int((match_anchors(predictions.anchors, targets).labels > 0).sum())
    name = f"8 images of {SIZE} px, 81 objects, {num_positives} positive anchors"
    rows.append((f"loss, {name}", median_ms(forward, args.repeats, args.device)))
    rows.append((f"loss and backward, {name}", median_ms(backward, args.repeats, args.device)))
    print(
        f"| loss ({args.device}, {args.threads} threads, torch {torch.__version__}) | median ms |\n|---|---|"
    )
    for name, ms in rows:
        print(f"| {name} | {ms:.1f} |")


if __name__ == "__main__":
    main()
