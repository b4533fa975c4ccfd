"""Exponential moving average of the weights."""

import math

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

AUTO = "auto"
SHARE = 0.2
"""Of the run, that an automatic average is over."""
LONGEST = 10_000
"""Steps that an automatic average is over."""


class AveragedWeights(WeightAveraging):
    """Validates with the average of weights and buffers, and saves it as the network's.

    Step t has the weight 1 - decay * (1 - exp(-t / ramp)): the first steps, which are far from where the run
    ends, are forgotten soon. Checkpoints also hold the trained weights, so that a resumed run continues with
    both. Frozen weights stay exactly as they are.

    Args:
        decay: weight of the previous average in each optimizer step, which makes it one over some
            1 / (1 - decay) steps; `auto`: over a fifth of the run.
        ramp: steps in which the decay rises; 0: none; `auto`: half the steps that the average is over.

    Raises:
        ValueError: `decay` or `ramp` is out of range.
    """

    def __init__(self, decay: float | str = AUTO, ramp: int | str = AUTO) -> None:
        if decay != AUTO and not (isinstance(decay, int | float) and 0 <= decay < 1):
            raise ValueError(
                f"callbacks.ema.decay={decay}: expected auto, or a number from 0 up to, but without, 1, such "
                "as 0.999"
            )
        if ramp != AUTO and not (isinstance(ramp, int) and ramp >= 0):
            raise ValueError(f"callbacks.ema.ramp={ramp}: expected auto, or steps, 0 for none")
        super().__init__(multi_avg_fn=self._average)
        self._wanted = decay, ramp
        self._decay = self._ramp = 0.0

    def decay_at(self, step: int) -> float:
        """Weight of the previous average in optimizer step `step` of the run, the first one being 1."""
        return self._decay * (1 - math.exp(-step / self._ramp)) if self._ramp else self._decay

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        decay, ramp = self._wanted
        if isinstance(decay, str):
            decay = 1 - 1 / min(max(SHARE * trainer.max_steps, 1), LONGEST)
        self._decay = decay
        self._ramp = 0.5 / (1 - decay) if isinstance(ramp, str) else ramp
        # At `setup` the module was still on the CPU: an average there would fetch all weights in each step.
        # The counter stays there, where reading it waits for nothing.
        assert self._average_model is not None
        self._average_model.to(pl_module.device)
        self._average_model.n_averaged = self._average_model.n_averaged.cpu()

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_epoch_start(trainer, pl_module)
        if self._average_model is not None and trainer.world_size > 1:
            for buffer in pl_module.buffers():  # statistics of batch norm: each process has averaged its own
                torch.distributed.broadcast(buffer, src=0)

    def _average(self, averages: list[Tensor], values: list[Tensor], num_averaged: Tensor | int) -> None:
        """Of tensors of one type, in place."""
        assert self._average_model is not None
        decay = self.decay_at(int(self._average_model.n_averaged) + 1)
        get_ema_multi_avg_fn(decay)(averages, values, num_averaged)
