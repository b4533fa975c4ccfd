"""Validation after the last step."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer


class LastValidation(Callback):
    """Validates after the last step of a run also where none is due, so that its last weights are rated too.

    Without this the steps behind the last validation would count for nothing: a run shorter than the interval
    between validations would have no result at all.
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        last_epoch = trainer.is_last_batch and trainer.current_epoch + 1 == trainer.max_epochs
        if last_epoch or trainer.global_step == trainer.max_steps:
            trainer.should_stop = True  # Lightning validates before it stops,
            trainer.check_val_every_n_epoch = None  # but not in an epoch that is to have no validation
