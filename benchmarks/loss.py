"""Matching and the loss, beside the published formulation of the same.

    python benchmarks/loss.py [--threads 2] [--device cpu] [--repeats 15]

Synthetic predictions of an 80-class network at 550 px, in the memory layout of each network's output. The
data workers of this project make the masks small; the published loss makes them small itself. What matching
computes from the anchors alone, once per run, is done before it is timed.
"""

import argparse

import torch
from alternating import Row, compare, print_rows
from plain_loss import plain_loss, plain_match
from synthetic_batch import (
    SIZE,
    full_size_target,
    make_anchors,
    make_predictions,
    published_loss,
    small_target,
)
from torch import Tensor

from yolact_pl.losses.assigners.iou_assigner import IouAssigner
from yolact_pl.structures import Predictions, Target, Targets

NUM_OBJECTS = (3, 5, 7, 9, 10, 12, 15, 20)  # of the images of a batch


def matching(generator: torch.Generator, octaves: int, repeats: int, device: str) -> list[Row]:
    """50 objects of one image."""
    anchors = make_anchors(octaves).to(device)
    predictions = make_predictions(generator, 1, anchors, num_classes=1)
    target = full_size_target(generator, 50)
    own, target = Targets.join([target]), moved(target, device)  # on the CPU, where this project matches
    assigner = IouAssigner()
    assignment, (labels, objects) = assigner(predictions, own), plain_match(anchors, target)
    assert torch.equal(assignment.labels[0].cpu(), labels.cpu()), "the two ways disagree"
    assert torch.equal(assignment.objects.cpu(), objects[labels > 0].cpu()), "the two ways disagree"
    return compare(
        f"match 50 objects to {len(anchors):,} anchors",
        {
            "published formulation": lambda: plain_match(anchors, target),
            "this project": lambda: assigner(predictions, own),
        },
        repeats=5 * repeats,
        device=device,
    )


def loss(generator: torch.Generator, repeats: int, device: str) -> list[Row]:
    """The loss of 8 images, alone and with backward to the predictions."""
    module = published_loss()
    targets = [full_size_target(generator, n) for n in NUM_OBJECTS]
    small = Targets.join([small_target(target) for target in targets])
    targets = [moved(target, device) for target in targets]
    plain = make_predictions(generator, len(targets), make_anchors())
    plain = leaves(plain, device, torch.contiguous_format)
    own = leaves(plain, device, torch.channels_last)

    def published(*, backward: bool) -> dict[str, Tensor]:
        return run(plain_loss(plain, targets, module), plain, backward=backward)

    def this_project(*, backward: bool) -> dict[str, Tensor]:
        return run(module(own, small), own, backward=backward)

    torch.testing.assert_close(this_project(backward=True), published(backward=True), rtol=1e-4, atol=1e-6)
    for leaf, other in zip(own, plain, strict=True):
        if isinstance(leaf, Tensor) and leaf.requires_grad:
            torch.testing.assert_close(leaf.grad, other.grad, rtol=1e-3, atol=1e-5)
    num_positives = sum(module.assigner(own, small).counts)
    rows = []
    for stage, backward in (("loss", False), ("loss with backward", True)):
        rows += compare(
            f"{stage}, {len(targets)} images, {sum(NUM_OBJECTS)} objects, {num_positives} positive anchors",
            {
                "published formulation": lambda b=backward: published(backward=b),
                "this project": lambda b=backward: this_project(backward=b),
            },
            repeats=repeats,
            device=device,
        )
    return rows


def run(terms: dict[str, Tensor], predictions: Predictions, *, backward: bool) -> dict[str, Tensor]:
    """The terms, after backward to the predictions if it is asked for."""
    if backward:
        for leaf in predictions:
            if isinstance(leaf, Tensor):
                leaf.grad = None
        torch.stack(list(terms.values())).sum().backward()
    return terms


def leaves(predictions: Predictions, device: str, memory_format: torch.memory_format) -> Predictions:
    """Copies that want a gradient; those that are maps have the layout."""
    copies = {}
    for name, value in predictions._asdict().items():
        if isinstance(value, Tensor):
            copy = value.detach().clone().to(device)
            copy = copy.contiguous(memory_format=memory_format) if copy.dim() == 4 else copy
            copies[name] = copy.requires_grad_(name != "anchors")
    return predictions._replace(**copies)


def moved(target: Target, device: str) -> Target:
    """The target on the device."""
    tensors = {name: value.to(device) for name, value in target.items() if isinstance(value, Tensor)}
    return {**target, **tensors}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    generator = torch.Generator().manual_seed(0)
    rows = []
    for octaves in (1, 3):
        rows += matching(generator, octaves, args.repeats, args.device)
    rows += loss(generator, args.repeats, args.device)
    print(f"{args.device}, {args.threads} threads, {SIZE} px\n")
    print_rows(rows)


if __name__ == "__main__":
    main()
