"""Training throughput in images per second."""

import time
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from yolact_pl.structures import Batch

SECONDS = 1.0
"""Over how long it is measured at least."""


class Throughput(Callback):
    """Logs `images_per_second` over all devices, waiting for data included, validation not."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._images = 0
        self._total_batch = 0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = None

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        if self._since is None:  # the first batch of a stretch only starts the clock
            own = torch.tensor(len(batch[0]), device=batch[0].device)  # others may have larger batches
            self._total_batch = int(trainer.strategy.reduce(own, reduce_op="sum"))
            self._since, self._images = time.perf_counter(), 0
            return
        self._images += self._total_batch
        seconds = time.perf_counter() - self._since
        if seconds >= SECONDS:
            pl_module.log("images_per_second", torch.tensor(self._images / seconds), batch_size=1)
            self._since, self._images = time.perf_counter(), 0
