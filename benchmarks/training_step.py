"""A training step of yolact_resnet50 at 550 px, its parts and its memory, beside the published formulation.

    python benchmarks/training_step.py [--batch 2] [--repeats 5] [--threads 2]

Batch norm is frozen, as it is for so few images. The published code has float32 only; its formulation in
bf16-mixed is measured, too. "full-size masks": this project with the targets' masks as the published code has
them, float at the size of the image. Memory is what a process takes at most for its batch and its steps, over
what network and optimizer took before: the median of processes of their own. Linux only.
"""

import argparse
import multiprocessing
import resource
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from alternating import Row, print_figures, print_rows
from plain_loss import plain_loss
from plain_network import plain_network
from synthetic_batch import RATIOS, SCALES, SIZE, full_size_target, published_loss, small_target
from torch import Tensor, nn

from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.resnet import ResNet
from yolact_pl.models.batch_norm import freeze_batch_norm
from yolact_pl.models.fast.half_precision import cpu_has_bfloat16
from yolact_pl.models.yolact import Yolact
from yolact_pl.structures import Predictions, Target, Targets

PUBLISHED, OURS, FULL_SIZE = "published formulation", "this project", "full-size masks"
PARTS = ("forward", "loss", "backward", "optimizer")
PROCESSES = 3  # of each variant: how full its pages are is a matter of luck
NUM_OBJECTS = 7  # of each image: the average of COCO


class Batch(NamedTuple):
    """Images [B, 3, 550, 550] and their targets."""

    images: Tensor
    targets: list[Target]

    @property
    def nbytes(self) -> int:
        """Of all its tensors."""
        tensors = [x for target in self.targets for x in target.values() if isinstance(x, Tensor)]
        return self.images.nbytes + sum(x.nbytes for x in tensors)


class Step:
    """A variant of a training step, called again and again.

    Args:
        variant: see the names above.
        bf16: compute in bfloat16 where autocast allows it.
        batch: with float masks at full size.
    """

    def __init__(self, variant: str, batch: Batch, *, bf16: bool) -> None:
        self.bf16 = bf16
        self.published = variant == PUBLISHED
        network = build_network()
        self.network = (
            plain_network(network) if self.published else network.to(memory_format=torch.channels_last)
        )
        self.loss = published_loss()
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.SGD(parameters, lr=0.0, momentum=0.9, weight_decay=5e-4)
        targets = list(map(small_target, batch.targets)) if variant == OURS else batch.targets
        self.batch = Batch(batch.images, targets)
        self.joined = Targets.join(targets)
        self.parts: list[list[float]] = []

    def __call__(self) -> dict[str, Tensor]:
        """One step; its terms of the loss."""
        torch.manual_seed(0)  # of the choice of masks
        marks = [time.perf_counter()]
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            predictions = self.network(self.batch.images)
            marks.append(time.perf_counter())
            terms = self._terms(predictions)
        marks.append(time.perf_counter())
        torch.stack(list(terms.values())).sum().backward()
        marks.append(time.perf_counter())
        self.optimizer.step()
        marks.append(time.perf_counter())
        self.parts.append([1000 * (end - start) for start, end in pairwise(marks)])
        return {name: term.detach() for name, term in terms.items()}

    def gradients(self) -> Tensor:
        """All in one row."""
        return torch.cat([p.grad.flatten() for p in self.network.parameters() if p.grad is not None])

    def _terms(self, predictions: Predictions) -> dict[str, Tensor]:
        if not self.published:
            return self.loss(predictions, self.joined)
        with torch.autocast("cpu", enabled=False):
            values = {k: v.float() for k, v in predictions._asdict().items() if isinstance(v, Tensor)}
            return plain_loss(predictions._replace(**values), self.batch.targets, self.loss)


def build_network() -> Yolact:
    """Random weights with a fixed seed, batch norm frozen at statistics that keep the maps in bounds."""
    torch.manual_seed(0)
    network = Yolact(ResNet((3, 4, 6, 3)), Anchors(SCALES, RATIOS), num_classes=80)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network(make_batch(1).images)
    freeze_batch_norm(network)
    return network


def make_batch(size: int) -> Batch:
    """Coarse noise, which edges and areas alike make something of, and ellipses."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(size, 3, 25, 25, generator=generator) * 255
    images = nn.functional.interpolate(coarse, (SIZE, SIZE), mode="bicubic").clamp(0, 255).to(torch.uint8)
    return Batch(images, [full_size_target(generator, NUM_OBJECTS) for _ in range(size)])


def check(step: Step, expected: Step) -> None:
    """Assert that both compute the same, gradients but for ReLUs that rounding turns on or off."""
    tolerance = 0.1 if step.bf16 else 1e-4
    for (name, term), other in zip(step().items(), expected().values(), strict=True):
        error = float((term - other).abs() / other)
        assert error < tolerance, f"the two ways disagree: {name} by {error:.1e}"
    if not step.bf16:
        error = float((step.gradients() - expected.gradients()).norm() / expected.gradients().norm())
        assert error < 0.05, f"the two ways disagree: gradients by {error:.1e}"


def measure(batch: Batch, repeats: int) -> dict[tuple[str, bool], Step]:
    """The steps of both variants in both precisions, after they were taken in turn."""
    keys = [(name, bf16) for bf16 in precisions() for name in (PUBLISHED, OURS)]
    steps = {(name, bf16): Step(name, batch, bf16=bf16) for name, bf16 in keys}
    for step in steps.values():
        check(step, steps[PUBLISHED, False])
    for step in steps.values():
        step.parts.clear()
    for _ in range(repeats):
        for step in steps.values():
            step()
    return steps


def rows(steps: dict[tuple[str, bool], Step], batch_size: int) -> list[Row]:
    """Whole steps; all are compared with what is published, which has float32 only."""
    medians = {key: statistics.median(map(sum, step.parts)) for key, step in steps.items()}
    first = medians[PUBLISHED, False]
    table = []
    for bf16 in precisions():
        stage = f"step, {precision(bf16)}, {batch_size} images"
        table.append(Row(stage, PUBLISHED, first, 1.0))
        for name in (PUBLISHED, OURS):
            if (name, bf16) != (PUBLISHED, False):
                median = medians[name, bf16]
                table.append(Row(stage, f"{name} {precision(bf16)}", median, first / median))
    return table


def precisions() -> list[bool]:
    """Whether to compute in bfloat16: also so, unless the CPU only emulates it, ten times slower."""
    return [False, True] if cpu_has_bfloat16() else [False]


def precision(bf16: bool) -> str:
    return "bf16-mixed" if bf16 else "float32"


def parts(steps: dict[tuple[str, bool], Step]) -> dict[str, str]:
    """Median times of the parts."""
    figures = {}
    for (name, bf16), step in steps.items():
        medians = [statistics.median(times) for times in zip(*step.parts, strict=True)]
        shares = ", ".join(f"{part} {median:.0f}" for part, median in zip(PARTS, medians, strict=True))
        figures[f"{name} {precision(bf16)}, parts in ms"] = shares
    return figures


def peak_memory(variant: str, bf16: bool, batch_size: int, threads: int) -> float:
    """MiB that the batch and two steps take at most; for a process of its own."""
    torch.set_num_threads(threads)
    step = Step(variant, make_batch(batch_size), bf16=bf16)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    before = (pages * resource.getpagesize() - step.batch.nbytes) / 2**20
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again
    step()
    step()
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) / 2**10 - before


def memory(batch_size: int, threads: int) -> dict[str, str]:
    """Of each variant."""
    figures = {}
    spawn = multiprocessing.get_context("spawn")
    for bf16 in precisions():
        for variant in (PUBLISHED, FULL_SIZE, OURS):
            peaks = []
            for _ in range(PROCESSES):
                with ProcessPoolExecutor(1, mp_context=spawn) as process:
                    peaks.append(process.submit(peak_memory, variant, bf16, batch_size, threads).result())
            figures[f"{variant} {precision(bf16)}, memory"] = f"{statistics.median(peaks):,.0f} MiB"
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    steps = measure(make_batch(args.batch), args.repeats)
    print(f"cpu, {args.threads} threads, {SIZE} px, {NUM_OBJECTS} objects an image\n")
    print_rows(rows(steps, args.batch))
    print_figures({**parts(steps), **memory(args.batch, args.threads)})


if __name__ == "__main__":
    main()
