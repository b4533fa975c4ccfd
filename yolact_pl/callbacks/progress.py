"""One bar over the whole run: losses, images a second, time to go."""

import logging
import os
import sys
import time
from contextlib import ExitStack
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

_log = logging.getLogger(__name__)
_LINE = "{desc} {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"


class RunProgress(ProgressBar):
    """A bar in optimizer steps of the whole run, and a short one for each validation; on rank 0 only.

    Lines that are logged meanwhile appear above the bar. Where the output is no terminal, a line is logged
    instead, thirty times more seldom.

    Args:
        refresh_seconds: time between redraws.
    """

    def __init__(self, refresh_seconds: float = 0.5) -> None:
        super().__init__()
        self._enabled = True
        self._terminal = is_terminal()
        self._interval = refresh_seconds if self._terminal else 30 * refresh_seconds
        self._shown = time.monotonic()
        self._starting = True
        self._train: tqdm | None = None
        self._validation: tqdm | None = None
        self._redirection = ExitStack()

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        steps = trainer.estimated_stepping_batches
        total = int(steps) if steps != float("inf") else None
        self._train = self._bar("train", total=total, initial=trainer.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        bar, step = self._train, trainer.global_step
        if bar is None:
            return
        if self._starting and step > bar.initial:  # the first step waits for workers: it is not typical
            self._starting = False
            bar.initial = bar.n = step
            bar.unpause()
        if self._is_time():  # reading a metric waits for the device: seldom
            bar.set_postfix(_shown_metrics(trainer), refresh=False)
            self._show(bar, step)
        else:
            bar.n = step

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        batches = sum(trainer.num_sanity_val_batches if trainer.sanity_checking else trainer.num_val_batches)
        self._validation = self._bar("validate", total=int(batches), leave=False)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        bar = self._validation
        if bar is None:
            return
        if self._is_time():
            self._show(bar, bar.n + 1)
        else:
            bar.n += 1

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._validation is not None:
            self._validation.close()
            self._validation = None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._close()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._close()

    def _bar(self, name: str, **options: Any) -> tqdm | None:
        """Averages over the whole run (`smoothing`): a time to go that counts validations in."""
        if not self._enabled:
            return None
        if not self._terminal:  # keeps the count and the time, draws nothing
            return tqdm(desc=name, unit="step", smoothing=0, delay=float("inf"), bar_format=_LINE, **options)
        if self._train is None and self._validation is None:
            self._redirection.enter_context(logging_redirect_tqdm())
        return tqdm(desc=name, unit="step", smoothing=0, dynamic_ncols=True, **options)

    def _is_time(self) -> bool:
        if time.monotonic() - self._shown < self._interval:
            return False
        self._shown = time.monotonic()
        return True

    def _show(self, bar: tqdm, count: int) -> None:
        bar.n = count
        if self._terminal:
            bar.refresh()
        else:
            _log.info("%s", bar)

    def _close(self) -> None:
        for bar in (self._validation, self._train):
            if bar is not None:
                bar.close()
        self._train = self._validation = None
        self._redirection.close()


def is_terminal() -> bool:
    """Whether a bar can be drawn: some terminals, such as those of containers, have no width."""
    return sys.stderr.isatty() and os.get_terminal_size(sys.stderr.fileno()).columns > 0


def _shown_metrics(trainer: Trainer) -> dict[str, str]:
    values = trainer.callback_metrics
    losses = {name: value for name, value in values.items() if name.startswith("loss/")}
    shown = {name.removeprefix("loss/"): f"{float(value):.2f}" for name, value in losses.items()}
    if "images_per_second" in values:
        shown["images/s"] = f"{float(values['images_per_second']):.1f}"
    return shown
