"""Exponential moving average of the weights."""

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import WeightAveraging
from torch.optim.swa_utils import get_ema_multi_avg_fn


class AveragedWeights(WeightAveraging):
    """Validates with the average, and saves it as the network's weights.

    Checkpoints also hold the trained weights, so that a resumed run continues with both. Frozen weights stay
    exactly as they are.

    Args:
        decay: weight of the previous average in each optimizer step.

    Raises:
        ValueError: `decay` is out of range.
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(
                f"callbacks.ema.decay={decay}: expected a number from 0 up to, but without, 1, such as 0.999"
            )
        super().__init__(multi_avg_fn=get_ema_multi_avg_fn(decay))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # At `setup` the module was still on the CPU: an average there would fetch all weights in each step.
        assert self._average_model is not None
        self._average_model.to(pl_module.device)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_epoch_start(trainer, pl_module)
        if self._average_model is not None and trainer.world_size > 1:
            for buffer in pl_module.buffers():  # statistics of batch norm: each process has averaged its own
                torch.distributed.broadcast(buffer, src=0)
