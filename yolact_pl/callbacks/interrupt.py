"""Saves the full state when the run is asked to stop, and says how to go on."""

import logging
import signal
from pathlib import Path
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities import rank_zero_only

_log = logging.getLogger(__name__)


class SaveOnInterrupt(Callback):
    """On Ctrl+C or SIGTERM: ends the step that is under way, saves `*_interrupt.ckpt`, and exits with 128 + signal.

    Under DDP one rank's signal stops all ranks after the same step. A second signal ends the process at once.

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
        self._previous: dict[int, Any] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._receive)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        stop = self._received is not None
        if trainer.world_size > 1:
            stop = trainer.strategy.reduce_boolean_decision(stop, all=False)
        if not stop:
            return
        step, epoch = trainer.global_step, trainer.current_epoch
        path = self.folder / f"{self.name}_{epoch}_{step}_interrupt.ckpt"
        trainer.save_checkpoint(path)
        self._tell(path, step)
        self._restore()
        # Not KeyboardInterrupt: Lightning would kill the other ranks, which stop by themselves.
        raise SystemExit(128 + (self._received or signal.SIGTERM))

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._restore()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        signal.signal(number, signal.SIG_DFL)
        rank_zero_only(_log.info)(
            "%s: saving after this step; once more to stop at once", signal.Signals(number).name
        )

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    @rank_zero_only
    def _tell(self, path: Path, step: int) -> None:
        command = self.resume_command.format(checkpoint=path)
        _log.info("stopped after step %d, state saved in %s; go on with:\n\n    %s\n", step, path, command)
