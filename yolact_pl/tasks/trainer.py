"""The Lightning Trainer, with its loggers and callbacks."""

import inspect
import logging
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import ProgressBar
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import DDPStrategy
from torch.nn.parallel import DistributedDataParallel

from yolact_pl.callbacks.checkpoint_file import CompleteCheckpoints
from yolact_pl.callbacks.resumed_schedule import ResumedSchedule
from yolact_pl.tasks.accidents import RunTrainer, stay_together
from yolact_pl.tasks.build import build


def build_trainer(cfg: DictConfig, callbacks: Sequence[Callback], **options: Any) -> Trainer:
    """The Trainer of `cfg.trainer` with the loggers of `cfg.logger`.

    Args:
        cfg: the composed config.
        callbacks: see `build_callbacks`.
        options: more arguments of the Trainer, such as `max_steps`.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # no greetings and tips
    loggers: list[Logger] = [build(node) for node in (cfg.logger or {}).values()]
    settings: dict[str, Any] = {"strategy": _strategy(cfg), **options}
    stay_together()
    return build(
        cfg.trainer,
        _target_=f"{RunTrainer.__module__}.{RunTrainer.__name__}",
        callbacks=[*callbacks, ResumedSchedule()],
        logger=loggers or False,
        plugins=[*map(build, cfg.trainer.get("plugins") or []), CompleteCheckpoints()],
        default_root_dir=cfg.output,
        use_distributed_sampler=False,  # data/sampler.py shares out, without repeating an image
        enable_model_summary=False,
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        **settings,
    )


def build_callbacks(cfg: DictConfig) -> dict[str, Callback]:
    """The callbacks of `cfg.callbacks` by name; a null entry is left out."""
    return {str(name): build(node) for name, node in cfg.callbacks.items() if node is not None}


def num_processes(trainer: Trainer) -> int:
    """How many processes train together, over all machines."""
    return trainer.num_devices * trainer.num_nodes


def _strategy(cfg: DictConfig) -> Any:
    """`auto`, but DDP does not copy buffers in every pass: a validation with unequal shares would hang."""
    strategy = cfg.trainer.strategy
    if strategy not in ("auto", "ddp"):
        return strategy if isinstance(strategy, str) else build(strategy)
    several = strategy == "ddp" or cfg.trainer.num_nodes > 1 or cfg.trainer.devices not in (1, "1", [0])
    if not several:
        return "auto"
    known = inspect.signature(DistributedDataParallel).parameters
    copying = (
        "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    )  # the older name
    options: dict[str, Any] = {copying: False, "gradient_as_bucket_view": True}
    return DDPStrategy(**options)
