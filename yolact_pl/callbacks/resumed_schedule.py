"""A resumed run with another total batch, at the same position in its schedule."""

import logging
from typing import Any, cast

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.module import YolactModule

_log = logging.getLogger(__name__)


class ResumedSchedule(Callback):
    """Counts a checkpoint's steps in images, so that a run can continue with another number of devices.

    Steps of 4 images become twice as many steps of 2: the schedule, scaled to this run's batch, continues
    after as many images as before, and so does the epoch. The learning rates of all parameter groups are this
    run's, not the checkpoint's.
    """

    def __init__(self) -> None:
        self._now: dict[str, int] = {}
        self._then: dict[str, int] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            self._now = _position(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        return self._now

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        # Not in `load_state_dict`: before a run starts Lightning looks whether it is over already.
        self._then = checkpoint["callbacks"].get(self.state_key, {})
        if not self._then:
            return
        schedule, step = cast(YolactModule, pl_module).schedule, checkpoint["global_step"]
        place = (step + self._then["start_step"]) * self._then["batch_size"] // schedule.batch_size
        schedule.start_step = place - step
        trainer.fit_loop.epoch_loop.max_steps = schedule.run_steps
        self._now = _position(trainer, pl_module)
        if step >= schedule.run_steps:
            rank_zero_only(_log.warning)(
                "the run is finished: step %d of %d; to train it further give a longer %s",
                step, schedule.run_steps, schedule.length_key,
            )  # fmt: skip
        if self._then["batch_size"] != schedule.batch_size:
            rank_zero_only(_log.info)(
                "batch      %d images a step up to step %d, %d from there on: step %d of %d of the schedule",
                self._then["batch_size"], step, schedule.batch_size, place, schedule.max_steps,
            )  # fmt: skip

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._then:
            return
        pl_module = cast(YolactModule, pl_module)
        schedule = pl_module.schedule
        for config in trainer.lr_scheduler_configs:
            rates = [group["lr"] for group in schedule.parameter_groups(pl_module.network)]
            factor = schedule.lr_at(trainer.global_step) / schedule.lr
            for group, rate in zip(config.scheduler.optimizer.param_groups, rates, strict=True):
                group["initial_lr"], group["lr"] = rate, rate * factor
            config.scheduler.base_lrs = rates  # pyright: ignore
        progress = trainer.fit_loop.epoch_loop.batch_progress.current
        images = progress.ready * self._then["images_per_batch"]
        more = images // self._now["images_per_batch"] - progress.ready
        for name in ("ready", "started", "processed", "completed"):
            setattr(progress, name, getattr(progress, name) + more)
        self._then = {}


def _position(trainer: Trainer, pl_module: LightningModule) -> dict[str, int]:
    schedule = cast(YolactModule, pl_module).schedule
    return {
        "batch_size": schedule.batch_size,
        "images_per_batch": schedule.batch_size // trainer.accumulate_grad_batches,
        "start_step": schedule.start_step,
    }
