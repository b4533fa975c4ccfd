"""trainer=ddp_spawn: processes that begin with nothing but the objects that they are given."""

import logging.config
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from yolact_pl.checkpoints.description import read_checkpoint


class SpawnedLog(Callback):
    """Gives the first of the processes that are spawned the log of the one that spawns them.

    Args:
        settings: for `logging.config.dictConfig`.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if trainer.is_global_zero and not logging.getLogger().handlers:
            logging.config.dictConfig(self._settings)
            logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)


def best_score(best: ModelCheckpoint) -> float | None:
    """The best value of the metric that is watched, None where there is none.

    Lightning brings the path of the best checkpoint back from spawned processes, but not its value.
    """
    score = best.best_model_score
    if score is None and best.best_model_path:
        states = read_checkpoint(best.best_model_path)["callbacks"]
        score = states.get(best.state_key, {}).get("best_model_score")
    return None if score is None else float(score)
