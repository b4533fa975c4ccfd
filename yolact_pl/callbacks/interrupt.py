"""Saves the full state when the run is asked to stop, and prints the command that continues it."""

import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

_log = logging.getLogger(__name__)


class SaveOnInterrupt(Checkpoint):
    """On Ctrl+C or SIGTERM: ends the step under way, saves `*_interrupt.ckpt`, and exits with 128 + signal.

    A validation that is under way or due after that step is made before the run stops, and the state saved
    once more after it; only if the process is killed meanwhile does the resumed run continue without it. In
    the last step of the run there is nothing left to stop: it ends as usual. Under DDP a signal to one rank
    stops all of them after the same step. A second signal ends the process at once.

    A `Checkpoint` for Lightning, so that its turn comes after those that save at the same step.

    Args:
        folder: of the checkpoint.
        name: first part of its file name.
        resume_command: gives the command that is printed, for the file.
    """

    def __init__(self, folder: str | Path, *, name: str, resume_command: Callable[[Path], str]) -> None:
        self.folder = Path(folder)
        self.name = name
        self.resume_command = resume_command
        self._received: int | None = None
        self._saved: Path | None = None
        self._speaks = False
        self._previous: dict[int, Any] = {}
        self._step = -1
        self._group: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._speaks = trainer.is_global_zero
        # Asked on the CPU after each step, so that no GPU is waited for.
        if trainer.world_size > 1 and torch.distributed.get_backend() != "gloo":
            self._group = torch.distributed.new_group(backend="gloo")
        # Not earlier: this replaces Lightning's handler, whose collective would get mixed up with the step's.
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._receive)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # Only now are the logs of the step before written and its validation done.
        if self._saved is not None:
            self._stop(trainer, self._saved)
        self._step = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step != self._step:  # gradients that are still accumulated would be lost
            self._save_if_asked(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._save_if_asked(trainer)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._restore()

    def _save_if_asked(self, trainer: Trainer) -> None:
        asked = self._received is not None
        if trainer.world_size > 1:
            number = torch.tensor(int(asked))
            torch.distributed.all_reduce(number, group=self._group)
            asked = bool(number)
        if asked and trainer.global_step != trainer.max_steps:
            step, epoch = trainer.global_step, trainer.current_epoch
            self._saved = self.folder / f"{self.name}_{epoch}_{step}_interrupt.ckpt"
            trainer.save_checkpoint(self._saved)

    def _stop(self, trainer: Trainer, path: Path) -> None:
        if self._speaks:
            command = self.resume_command(path)
            _log.info("stopped after step %d, state saved in %s; go on with:\n\n    %s\n",
                      trainer.global_step, path, command)  # fmt: skip
        self._restore()
        # Not KeyboardInterrupt: Lightning would kill the other ranks, which stop by themselves. They give 0:
        # Lightning kills the first rank of a machine as soon as one of those that it started has failed.
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
