"""Averages of the loss's terms."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torchmetrics import Metric


class LossAverage(Metric):
    """Mean of each named loss over the steps since the last reset, and over the processes.

    `update` waits for nothing. `compute` sums a few numbers over the processes in one all-reduce, where
    torchmetrics would gather them behind a barrier.
    """

    full_state_update = False
    higher_is_better = False
    is_differentiable = True
    steps: Tensor

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.names: list[str] = []
        self.add_state("steps", torch.zeros(()), dist_reduce_fx="sum")

    def update(self, losses: Mapping[str, Tensor]) -> None:
        """Take the losses of one step, a scalar each under the same names in every step."""
        for name, loss in losses.items():
            state = f"total_{name}"
            if name not in self.names:
                self.names.append(name)
                self.add_state(state, torch.zeros((), device=loss.device), dist_reduce_fx="sum")
            setattr(self, state, getattr(self, state) + loss.detach())
        self.steps = self.steps + 1

    def compute(self) -> dict[str, Tensor]:
        """The mean of each loss, the same on all processes; nan before the first step."""
        return {name: getattr(self, f"total_{name}") / self.steps for name in self.names}

    def _sync_dist(self, dist_sync_fn: Any = None, process_group: Any = None) -> None:
        states = ["steps", *(f"total_{name}" for name in self.names)]
        sums = torch.stack([getattr(self, state).float() for state in states])
        dist.all_reduce(sums, group=process_group or self.process_group)
        for state, value in zip(states, sums.unbind(), strict=True):
            setattr(self, state, value)
