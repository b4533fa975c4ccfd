"""Hyper-parameters and final metrics for the loggers' comparison of runs."""

from collections.abc import Mapping

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import TensorBoardLogger

from yolact_pl.module import YolactModule

Value = str | int | float | bool
_SHOWN = ("val/mask_AP", "val/mask_AP50", "val/box_AP", "loss/total")


class HyperParameters(Callback):
    """Tells the loggers the hyper-parameters; TensorBoard's HPARAMS tab shows them with the final metrics.

    Args:
        values: by name. `total_batch`, the images of an optimizer step, is added to them.
    """

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values = dict(values)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if isinstance(pl_module, YolactModule):
            self.values["total_batch"] = pl_module.schedule.batch_size
        for logger in trainer.loggers:
            if not isinstance(logger, TensorBoardLogger):  # it wants them together with the metrics
                logger.log_hyperparams(self.values)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Not for a run that was interrupted: it continues with `resume`, and ends then."""
        metrics = final_metrics(trainer)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger) and metrics:
                logger.log_hyperparams(self.values, metrics, step=trainer.global_step)


def final_metrics(trainer: Trainer) -> dict[str, float]:
    """The metrics at the end of the run and the best mask AP, as far as there are any."""
    known = trainer.callback_metrics
    metrics = {f"final/{name.removeprefix('val/')}": float(known[name]) for name in _SHOWN if name in known}
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor == "val/mask_AP":
            best = callback.best_model_score
            if isinstance(best, torch.Tensor):
                metrics["best/mask_AP"] = float(best)
    return metrics
