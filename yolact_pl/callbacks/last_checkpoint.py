"""Checkpoint of the newest state."""

from pathlib import Path

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.trainer.states import TrainerFn


class LastCheckpoint(Checkpoint):
    """Saves `last.ckpt` after each validation, or else each epoch, and at the end of the run.

    Lightning's `save_last` does so only together with a new best checkpoint, and would lose what was learned
    behind it.

    Args:
        folder: of the checkpoint.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / "last.ckpt"
        self._saved_step = -1

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Not in `on_train_end`: averaged weights have taken the place of the trained ones by then.
        if not trainer.enable_validation or trainer.global_step == trainer.max_steps:
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        trying = getattr(trainer, "fast_dev_run", False)  # Lightning does not declare it
        if not trying and trainer.global_step != self._saved_step:
            trainer.save_checkpoint(self.path)
            self._saved_step = trainer.global_step
