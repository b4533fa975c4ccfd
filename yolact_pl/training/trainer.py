"""The Lightning Trainer, with its loggers and callbacks."""

import inspect
import logging
import warnings
from collections.abc import Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.accelerators import CPUAccelerator, CUDAAccelerator, MPSAccelerator
from pytorch_lightning.callbacks import ProgressBar
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities import rank_zero_only
from torch.nn.parallel import DistributedDataParallel

from yolact_pl.callbacks.checkpoint_file import CompleteCheckpoints
from yolact_pl.callbacks.resumed_schedule import ResumedSchedule
from yolact_pl.config.build import AUTO, build, resize_mode
from yolact_pl.images.placement import SHORTEST_EDGE
from yolact_pl.models.fast.half_precision import SLOW_BFLOAT16, cpu_has_bfloat16
from yolact_pl.training.accidents import RunTrainer, stay_together
from yolact_pl.training.spawned import SpawnedLog
from yolact_pl.training.sync_batch_norm import SyncTrainedBatchNorm

_log = logging.getLogger(__name__)

VALIDATIONS = 10
"""Of a run with `val_check_interval: auto`."""
NEEDLESS_WARNINGS = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # its own affair
    r"Found \d+ module\(s\) in eval mode at the start of training",  # frozen batch norm
    r"Total length of `list` across ranks is zero",  # no validation set, which `warn_of_mistakes` tells
    r"The number of training batches \(\d+\) is smaller than the logging interval",  # which counts all epochs
    r"Checkpoint directory .* exists and is not empty",  # a resumed run continues in its folder
)
"""Of Lightning, where all is as it should be."""


def build_trainer(cfg: DictConfig, callbacks: Sequence[Callback], **options: Any) -> Trainer:
    """The Trainer of `cfg.trainer` with the loggers of `cfg.logger`.

    Args:
        cfg: the composed config.
        callbacks: see `build_callbacks`.
        options: more arguments of the Trainer, such as `max_steps`.

    Raises:
        ValueError: settings that do not go together, or a logger whose package is not installed.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # no greetings and tips
    for needless in NEEDLESS_WARNINGS:
        warnings.filterwarnings("ignore", needless)
    check_accelerator(cfg.trainer.accelerator)
    _check_intervals(cfg)
    strategy = _strategy(cfg)
    callbacks = [*callbacks, ResumedSchedule()]
    if cfg.trainer.strategy == "ddp_spawn":
        settings: Any = OmegaConf.to_container(HydraConfig.get().job_logging, resolve=True)
        callbacks.append(SpawnedLog(settings))
    plugins = [*map(build, cfg.trainer.get("plugins") or []), CompleteCheckpoints()]
    if cfg.trainer.sync_batchnorm:
        plugins.append(SyncTrainedBatchNorm())
    stay_together()
    trainer: Trainer = build(
        cfg.trainer,
        _target_=f"{RunTrainer.__module__}.{RunTrainer.__name__}",
        callbacks=callbacks,
        logger=build_loggers(cfg) or False,
        plugins=plugins,
        default_root_dir=cfg.output,
        use_distributed_sampler=False,  # data/sampler.py shares out, without repeating an image
        enable_model_summary=False,
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        benchmark=_benchmark(cfg),
        **{
            "strategy": strategy,
            "sync_batchnorm": False,
            "precision": _precision(cfg),
            **_epochs_between_validations(cfg),
            **options,
        },
    )
    if cfg.trainer.sync_batchnorm and isinstance(trainer.accelerator, CPUAccelerator):
        raise ValueError("trainer.sync_batchnorm=true needs GPUs: torch has no such batch norm for the CPU")
    return trainer


def check_accelerator(name: str) -> None:
    """Whether the machine has a device of this kind.

    Raises:
        ValueError: it has none.
    """
    cuda, mps = CUDAAccelerator.is_available(), MPSAccelerator.is_available()
    if not {"gpu": cuda or mps, "cuda": cuda, "mps": mps}.get(name, True):
        raise ValueError(
            f"trainer.accelerator={name}: PyTorch sees no such device on this machine; trainer=default takes "
            "a GPU where there is one, else the CPU"
        )


def _precision(cfg: DictConfig) -> str:
    """`trainer.precision`, or float32 where 16 bits would take longer.

    Raises:
        ValueError: weights are to be kept in 16 bits.
    """
    precision = str(cfg.trainer.precision)
    if precision in ("bf16-true", "16-true"):
        raise ValueError(
            f"trainer.precision={precision}: 16 bits are too coarse for anchors, boxes and small steps of "
            f"the weights; trainer.precision={precision.replace('true', 'mixed')} uses 16 where they suffice"
        )
    if precision in ("bf16-mixed", "16-mixed", "bf16", "16") and _runs_on_cpu(cfg) and not cpu_has_bfloat16():
        rank_zero_only(_log.warning)("trainer.precision=%s: %s", precision, SLOW_BFLOAT16)
        return "32-true"
    return precision


def _runs_on_cpu(cfg: DictConfig) -> bool:
    gpu = CUDAAccelerator.is_available() or MPSAccelerator.is_available()
    return cfg.trainer.accelerator == "cpu" or (cfg.trainer.accelerator == "auto" and not gpu)


def _benchmark(cfg: DictConfig) -> bool:
    """`trainer.benchmark`: cuDNN tries its kernels for each new shape, which must not change all the time."""
    if cfg.trainer.benchmark != "auto":
        return cfg.trainer.benchmark
    return resize_mode(cfg) != SHORTEST_EDGE and cfg.dataset.get("multi_scale") is None


def _check_intervals(cfg: DictConfig) -> None:
    """Raises:
    ValueError: a number that Lightning would divide by unchecked.
    """
    batches, interval = cfg.trainer.accumulate_grad_batches, cfg.trainer.val_check_interval
    if not (isinstance(batches, int) and batches >= 1):
        raise ValueError(f"trainer.accumulate_grad_batches={batches}: expected 1 or more")
    if not (interval in (None, AUTO) or (isinstance(interval, int | float) and interval > 0)):
        raise ValueError(f"trainer.val_check_interval={interval}: expected steps, 1 or more, auto or null")


def _epochs_between_validations(cfg: DictConfig) -> dict[str, Any]:
    """Batches between validations take the place of epochs; how many `auto` is, `set_length` says."""
    interval = cfg.trainer.val_check_interval
    steps = {"val_check_interval": 1} if interval == AUTO else {}
    return {"check_val_every_n_epoch": None, **steps} if isinstance(interval, int | str) else {}


def set_length(trainer: Trainer, steps: int, cfg: DictConfig) -> None:
    """Let the run have so many optimizer steps, which only the Trainer's devices decide."""
    trainer.fit_loop.epoch_loop.max_steps = steps
    if cfg.trainer.val_check_interval == AUTO:
        batches = steps * trainer.accumulate_grad_batches
        trainer.val_check_interval = max(1, batches // VALIDATIONS)


def build_loggers(cfg: DictConfig) -> list[Logger]:
    """The loggers of `cfg.logger`, none if that is null.

    Raises:
        ValueError: the package of one is not installed; says which.
    """
    loggers = []
    for name, node in (cfg.get("logger") or {}).items():
        try:
            loggers.append(build(node))
        except (InstantiationException, ImportError) as error:
            cause = error.__cause__ if isinstance(error, InstantiationException) else error
            if not isinstance(cause, ImportError):
                raise
            raise ValueError(
                f"logger={name} needs a package that is not installed: pip install 'yolact-pl[{name}]'"
            ) from error
    return loggers


def build_callbacks(cfg: DictConfig) -> dict[str, Callback]:
    """The callbacks of `cfg.callbacks` by name; a null entry is left out."""
    return {str(name): build(node) for name, node in cfg.callbacks.items() if node is not None}


def num_processes(trainer: Trainer) -> int:
    """How many processes train together, over all machines."""
    return trainer.num_devices * trainer.num_nodes


def _strategy(cfg: DictConfig) -> Any:
    """`auto`, but DDP does not copy buffers in every pass: a validation with unequal shares would hang."""
    strategy = cfg.trainer.strategy
    if strategy not in ("auto", "ddp", "ddp_spawn"):
        return strategy if isinstance(strategy, str) else build(strategy)
    several = strategy != "auto" or cfg.trainer.num_nodes > 1 or cfg.trainer.devices not in (1, "1", [0])
    if not several:
        return "auto"
    known = inspect.signature(DistributedDataParallel).parameters
    copying = (
        "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    )  # the older name
    options: dict[str, Any] = {copying: False, "gradient_as_bucket_view": True}
    return DDPStrategy(start_method="spawn" if strategy == "ddp_spawn" else "popen", **options)
