"""Early stopping."""

import logging

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.utilities import rank_zero_only

_log = logging.getLogger(__name__)


class StopWithoutProgress(EarlyStopping):
    """Lightning's EarlyStopping, counted in validations, which says that it has stopped the run.

    Args:
        monitor: the metric that is to get better.
        mode: `max` or `min`, which of them is better.
        patience: so many validations in a row without a better value end the run.
        min_delta: by how much a value has to be better.
    """

    def __init__(self, monitor: str, *, mode: str = "max", patience: int = 5, min_delta: float = 0.0) -> None:
        super().__init__(
            monitor, mode=mode, patience=patience, min_delta=min_delta, check_on_train_epoch_end=False
        )

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_end(trainer, pl_module)
        if trainer.should_stop and self.wait_count >= self.patience:
            rank_zero_only(_log.info)(
                "stopped early after step %d: %s has not been better than %.4f for %d validations",
                trainer.global_step, self.monitor, self.best_score, self.wait_count,
            )  # fmt: skip
