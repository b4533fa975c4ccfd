"""Learning rate and optimizer over the run: warm-up, then steps down at milestones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

PAPER_BATCH_SIZE = 8
OFFSETS = "conv_offset_mask"
"""Part of the names of the weights that `offset_lr_factor` is about, see `ops.dcnv2`."""


class Schedule:
    """A training schedule, stated for the total batch size that it was tuned with.

    Args:
        optimizer: called with parameter groups and `lr`, such as `partial(torch.optim.SGD, momentum=0.9)`.
        lr: learning rate after the warm-up.
        max_steps: optimizer steps of the whole run.
        milestones: steps at which the rate is multiplied by `gamma`.
        gamma: see `milestones`.
        warmup_steps: the rate rises linearly during these first steps. Not scaled with the batch.
        warmup_lr: the rate of step 0.
        batch_size: the total batch (all devices, nodes and accumulated batches together) that the numbers
            above are meant for.
        start_step: the step of the schedule that the run begins with, see `starting_at`.
        offset_lr_factor: of the rate, for the convolutions that say where the deformable ones of YOLACT++
            sample. The published training has 1. Adam and its kin take steps of the rate's size however
            small a gradient is, and offsets that jump by a pixel a step teach the other weights nothing.

    Raises:
        ValueError: a learning rate or a step out of range.
    """

    def __init__(
        self,
        optimizer: Callable[..., Optimizer],
        *,
        lr: float,
        max_steps: int,
        milestones: Sequence[int],
        gamma: float = 0.1,
        warmup_steps: int = 500,
        warmup_lr: float = 1e-4,
        batch_size: int = PAPER_BATCH_SIZE,
        start_step: int = 0,
        offset_lr_factor: float = 1.0,
    ) -> None:
        if not (isinstance(lr, int | float) and lr > 0):
            raise ValueError(f"schedule.lr={lr}: expected a number above 0, such as 1e-3")
        if not (isinstance(max_steps, int) and max_steps >= 1):
            raise ValueError(
                f"schedule.max_steps={max_steps}: expected 1 or more steps of {batch_size} images"
            )
        if not (isinstance(milestones, Sequence) and all(isinstance(step, int) for step in milestones)):
            raise ValueError(f"schedule.milestones={milestones}: expected a list of steps, such as [500,800]")
        if not (isinstance(offset_lr_factor, int | float) and offset_lr_factor >= 0):
            raise ValueError(f"schedule.offset_lr_factor={offset_lr_factor}: expected a number, at least 0")
        self.optimizer = optimizer
        self.lr = lr
        self.max_steps = max_steps
        self.milestones = list(milestones)
        self.gamma = gamma
        self.warmup_steps = warmup_steps
        self.warmup_lr = warmup_lr
        self.batch_size = batch_size
        self.start_step = start_step
        self.offset_lr_factor = offset_lr_factor

    def scaled(self, batch_size: int) -> Schedule:
        """The same schedule for another total batch: the rate grows with it, the steps shrink.

        The warm-up stays as it is.
        """
        factor = batch_size / self.batch_size
        scaled = copy.copy(self)
        scaled.lr = self.lr * factor
        scaled.max_steps = int(self.max_steps // factor)
        scaled.milestones = [int(step // factor) for step in self.milestones]
        scaled.batch_size = batch_size
        return scaled

    def starting_at(self, step: int) -> Schedule:
        """The same schedule from a later step on; earlier ones were done elsewhere (see `start_step`).

        Raises:
            ValueError: the schedule is over by then.
        """
        if not 0 <= step < self.max_steps:
            raise ValueError(
                f"start_step={step}: the schedule has steps 0 to {self.max_steps - 1} at {self.batch_size} "
                "images a step; give an earlier step, or a longer schedule.max_steps"
            )
        started = copy.copy(self)
        started.start_step = step
        return started

    @property
    def run_steps(self) -> int:
        """Optimizer steps that are left for this run."""
        return self.max_steps - self.start_step

    def lr_at(self, step: int) -> float:
        """Learning rate in use at optimizer step `step` of this run, the first one being 0."""
        step += self.start_step
        if step <= self.warmup_steps and self.warmup_steps > 0:
            return self.warmup_lr + (self.lr - self.warmup_lr) * step / self.warmup_steps
        return self.lr * self.gamma ** sum(step >= milestone for milestone in self.milestones)

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """The trainable parameters, each group with its learning rate after the warm-up."""
        trained = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
        slow = {name for name, _ in trained if self.offset_lr_factor != 1 and OFFSETS in name}
        groups: list[dict[str, Any]] = [
            {"params": [p for name, p in trained if name not in slow], "lr": self.lr}
        ]
        if slow:
            offsets = [p for name, p in trained if name in slow]
            groups.append({"params": offsets, "lr": self.lr * self.offset_lr_factor})
        return groups

    def configure(self, network: nn.Module) -> tuple[Optimizer, LambdaLR]:
        """The optimizer over the trainable parameters, and its scheduler (one tick per optimizer step).

        Raises:
            ValueError: a setting that the optimizer does not take.
        """
        try:
            optimizer = self.optimizer(self.parameter_groups(network), lr=self.lr)
        except TypeError as error:
            raise ValueError(
                f"optimizer: {error}; choose optimizer=sgd or optimizer=adamw, whose settings are their own"
            ) from error
        return optimizer, LambdaLR(optimizer, lambda step: self.lr_at(step) / self.lr)

    def describe(self) -> str:
        """One line for people."""
        steps = "/".join(f"{step:,}" for step in self.milestones) or "none"
        return (
            f"learning rate {self.lr:g} (warm-up {self.warmup_steps} steps from {self.warmup_lr:g}), "
            f"x{self.gamma:g} at steps {steps}, {self.max_steps:,} steps of {self.batch_size} images"
            + (f", from step {self.start_step:,} on" if self.start_step else "")
        )
