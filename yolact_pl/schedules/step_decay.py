"""The published schedule: warm-up, then steps down at milestones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from torch.optim import Optimizer
from typing_extensions import Self

from yolact_pl.schedules.schedule import Schedule


class StepDecay(Schedule):
    """A length in steps, at whose milestones the learning rate falls.

    Args:
        optimizer, lr, max_steps: see `Schedule`.
        milestones: steps at which the rate is multiplied by `gamma`.
        gamma: see `milestones`.
        warmup_steps: the rate rises linearly during these first steps. Not scaled with the batch.
        warmup_lr: the rate of step 0.
        options: see `Schedule`.

    Raises:
        ValueError: a learning rate or a step out of range.
    """

    length_key = "schedule.max_steps"

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
        **options: Any,
    ) -> None:
        super().__init__(optimizer, lr=lr, max_steps=max_steps, **options)
        if not (isinstance(milestones, Sequence) and all(isinstance(step, int) for step in milestones)):
            raise ValueError(f"schedule.milestones={milestones}: expected a list of steps, such as [500,800]")
        self.milestones = list(milestones)
        self.gamma = gamma
        self.warmup_steps = warmup_steps
        self.warmup_lr = warmup_lr

    def scaled(self, batch_size: int, num_images: int) -> Self:
        """The same schedule for another total batch: the rate grows with it, the steps shrink.

        The warm-up stays as it is. The length in images is the same for any number of them.
        """
        factor = batch_size / self.batch_size
        scaled = copy.copy(self)
        scaled.lr = self.lr * self.lr_scale(batch_size)
        scaled.max_steps = int(self.max_steps // factor)
        scaled.milestones = [int(step // factor) for step in self.milestones]
        scaled.batch_size = batch_size
        return scaled

    def lr_scale(self, batch_size: int) -> float:
        """Linear, as published."""
        return batch_size / self.batch_size

    def rate(self, step: int) -> float:
        if step <= self.warmup_steps and self.warmup_steps > 0:
            return self.warmup_lr + (self.lr - self.warmup_lr) * step / self.warmup_steps
        return self.lr * self.gamma ** sum(step >= milestone for milestone in self.milestones)

    def of_epochs(self, epochs: int, num_images: int) -> str:
        steps = max(1, epochs * num_images // self.batch_size)
        milestones = ",".join(str(round(step * steps / self.max_steps)) for step in self.milestones)
        return f"{self.length_key}={steps} schedule.milestones=[{milestones}]"

    def _line(self) -> str:
        steps = "/".join(f"{step:,}" for step in self.milestones) or "none"
        return (
            f"learning rate {self.lr:g} (warm-up {self.warmup_steps} steps from {self.warmup_lr:g}), "
            f"x{self.gamma:g} at steps {steps}, {self.max_steps:,} steps of {self.batch_size} images"
        )
