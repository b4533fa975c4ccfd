"""Pruning of trials that fall behind."""

import logging
import math
from collections.abc import Callable

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities import rank_zero_only

_log = logging.getLogger(__name__)
_METRIC = "val/mask_AP"


class EndBadTrial(Callback):
    """Asks after each validation but the last whether the run is worth going on with.

    Args:
        is_bad: called with the mask AP and the step, by the first process; True ends the run for all.
    """

    def __init__(self, is_bad: Callable[[float, int], bool]) -> None:
        self._is_bad = is_bad

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        value = float(trainer.callback_metrics.get(_METRIC, math.nan))
        if trainer.global_step == trainer.max_steps or math.isnan(value):
            return
        bad = trainer.is_global_zero and self._is_bad(value, trainer.global_step)
        if trainer.strategy.broadcast(bad):
            trainer.should_stop = True
            rank_zero_only(_log.info)(
                "trial ended early after step %d: mask AP %.4f is below the median of the others there",
                trainer.global_step, value,
            )  # fmt: skip
