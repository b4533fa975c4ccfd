"""One bar over the whole run: losses, images a second, time to go."""

import sys
import time
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from tqdm import tqdm


class RunProgress(ProgressBar):
    """A bar in optimizer steps of the whole run, and a short one for each validation.

    Args:
        refresh_seconds: time between redraws; where the output is no terminal, thirty times as long, to keep logs short.
    """

    def __init__(self, refresh_seconds: float = 0.5) -> None:
        super().__init__()
        self._enabled = True
        self._interval = refresh_seconds if sys.stderr.isatty() else 30 * refresh_seconds
        self._shown = 0.0
        self._train: tqdm | None = None
        self._validation: tqdm | None = None

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        steps = trainer.estimated_stepping_batches
        self._train = self._bar("train", total=int(steps) if steps != float("inf") else None)
        self._train.update(trainer.global_step)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if self._train is None:
            return
        if time.monotonic() - self._shown >= self._interval:  # reading a metric waits for the device: seldom
            self._shown = time.monotonic()
            values = trainer.callback_metrics
            losses = {name: value for name, value in values.items() if name.startswith("loss/")}
            shown = {name.removeprefix("loss/"): f"{float(value):.2f}" for name, value in losses.items()}
            if "images_per_second" in values:
                shown["images/s"] = f"{float(values['images_per_second']):.1f}"
            self._train.set_postfix(shown, refresh=False)
        self._train.update(trainer.global_step - self._train.n)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        batches = sum(trainer.num_sanity_val_batches if trainer.sanity_checking else trainer.num_val_batches)
        self._validation = self._bar("validate", total=int(batches), leave=False)

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if self._validation is not None:
            self._validation.update()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._validation is not None:
            self._validation.close()
            self._validation = None

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        for bar in (self._train, self._validation):
            if bar is not None:
                bar.close()
        self._train = self._validation = None

    def _bar(self, name: str, **options: Any) -> tqdm:
        return tqdm(desc=name, unit="step", mininterval=self._interval, maxinterval=self._interval,
                    dynamic_ncols=True, disable=not self._enabled, file=sys.stderr, **options)  # fmt: skip
