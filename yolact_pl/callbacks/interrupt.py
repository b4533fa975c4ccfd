"""Saves the full state when the run is asked to stop, and says how to go on."""

import logging
import os
import signal
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

_log = logging.getLogger(__name__)


class SaveOnInterrupt(Callback):
    """On Ctrl+C or SIGTERM: ends the step under way, saves `*_interrupt.ckpt`, and exits with 128 + signal.

    Under DDP one rank's signal stops all ranks after the same step. A validation is left at its next batch,
    and made up for when the run goes on; only the one after the last step is finished, since no run goes on from
    there. A second signal ends the process at once.

    Args:
        folder: of the checkpoint.
        name: first part of its file name.
        resume_command: printed with `{checkpoint}` replaced by the file.
    """

    def __init__(self, folder: str | Path, *, name: str, resume_command: str) -> None:
        self.folder = Path(folder)
        self.name = name
        self.resume_command = resume_command
        self._received: int | None = None
        self._speaks = False
        self._previous: dict[int, Any] = {}
        self._step = -1
        self._shared_batches = 0
        self._validating = False
        self._validation_due = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._speaks = trainer.is_global_zero
        # Not earlier: this replaces Lightning's handler, whose collective would get mixed up with the step's.
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._receive)
        if self._validation_due:
            self._validation_due = False
            validation = trainer.fit_loop.epoch_loop.val_loop
            validation.restarting = False
            trainer.validating = True
            validation.run()
            trainer.training = True

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._step = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step > self._step:  # gradients that are still accumulated would be lost
            self._stop_if_asked(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validating = (
            trainer.global_step < trainer.fit_loop.max_steps or trainer.fit_loop.max_steps == -1
        )
        batches = torch.tensor(float(sum(trainer.num_val_batches)), device=pl_module.device)
        # Ranks may have unequal shares: they only ask each other while all of them are at it.
        self._shared_batches = int(trainer.strategy.reduce(batches, reduce_op="min"))

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self._validating and batch_idx < self._shared_batches:
            self._stop_if_asked(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validating = False

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._restore()

    def state_dict(self) -> dict[str, Any]:
        return {"validation_due": self._validating}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._validation_due = state_dict["validation_due"]

    def _stop_if_asked(self, trainer: Trainer) -> None:
        stop = self._received is not None
        if trainer.world_size > 1:
            stop = trainer.strategy.reduce_boolean_decision(stop, all=False)
        if not stop:
            return
        step, epoch = trainer.global_step, trainer.current_epoch
        path = self.folder / f"{self.name}_{epoch}_{step}_interrupt.ckpt"
        trainer.save_checkpoint(path)
        if self._speaks:
            self._tell(path, step)
        self._restore()
        # Not KeyboardInterrupt: Lightning would kill the other ranks, which stop by themselves. They give 0: the
        # first rank of a machine is killed by Lightning as soon as one of those that it started has failed.
        raise SystemExit(128 + (self._received or signal.SIGTERM) if trainer.local_rank == 0 else 0)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        for again in self._previous:
            signal.signal(again, signal.SIG_DFL)
        if self._speaks:  # not logged: the signal may have come in the middle of a line of the log
            name = signal.Signals(number).name
            os.write(2, f"\n{name}: saving after this step; once more to stop at once\n".encode())

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _tell(self, path: Path, step: int) -> None:
        command = self.resume_command.format(checkpoint=path)
        _log.info("stopped after step %d, state saved in %s; go on with:\n\n    %s\n", step, path, command)
