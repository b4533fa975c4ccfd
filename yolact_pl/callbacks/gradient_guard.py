"""Skips optimizer steps whose gradients are not finite, and logs the gradient norm."""

import logging
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from yolact_pl.structures import Batch

_log = logging.getLogger(__name__)


class DivergedError(ValueError):
    """Too many steps in a row without finite gradients."""


class GradientGuard(Callback):
    """Keeps the weights when a step's gradients contain a NaN or an infinity.

    Under DDP the gradients are already averaged by then, so that a NaN of one rank is seen by all of them and
    all skip alike. The images of the step are named, to find a broken sample.

    Args:
        max_in_a_row: after this many skipped steps in a row the run stops with `DivergedError`.
    """

    def __init__(self, max_in_a_row: int = 20) -> None:
        self.max_in_a_row = max_in_a_row
        self.skipped = 0
        self.in_a_row = 0
        self._image_ids: list[int] = []

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        self._image_ids = batch[1].image_ids

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = _total_norm(parameters)
        pl_module.log("gradient_norm", norm, batch_size=1)
        # A number would be copied to the GPU, and that be waited for.
        pl_module.log("skipped_steps", torch.tensor(float(self.skipped)), batch_size=1)
        if torch.isfinite(norm):
            self.in_a_row = 0
            return
        self.skipped += 1
        self.in_a_row += 1
        for parameter in parameters:
            parameter.grad = None  # skipped by the optimizer: no decay, no momentum
        image_ids = self._gather_image_ids(trainer)
        rank_zero_only(_log.warning)(
            "step %d skipped: its gradients are not finite (images %s; %d skipped so far)",
            trainer.global_step, ", ".join(map(str, image_ids)), self.skipped,
        )  # fmt: skip
        if self.in_a_row >= self.max_in_a_row:
            raise DivergedError(
                f"the gradients of {self.in_a_row} steps in a row were not finite, last at step "
                f"{trainer.global_step}: training has diverged; lower schedule.lr, lengthen "
                "schedule.warmup_steps or use trainer.precision=32"
            )

    def state_dict(self) -> dict[str, Any]:
        return {"skipped": self.skipped, "in_a_row": self.in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.skipped, self.in_a_row = state_dict["skipped"], state_dict["in_a_row"]

    def _gather_image_ids(self, trainer: Trainer) -> list[int]:
        if trainer.world_size == 1:
            return self._image_ids
        shares: list[list[int]] = [[] for _ in range(trainer.world_size)]
        torch.distributed.all_gather_object(shares, self._image_ids)
        return [image_id for share in shares for image_id in share]


def _total_norm(parameters: list[Parameter]) -> Tensor:
    """Of all gradients together."""
    if hasattr(torch.nn.utils, "get_total_norm"):  # since torch 2.6
        return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    return torch.nn.utils.clip_grad_norm_(parameters, float("inf"))  # to no limit: writes them all, unchanged
