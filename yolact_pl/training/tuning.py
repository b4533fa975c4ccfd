"""Values that are found out before a run: `dataset.batch_size=auto` and `schedule.lr=auto`."""

import contextlib
import io
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from matplotlib.figure import Figure
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer
from pytorch_lightning.accelerators.cpu import CPUAccelerator
from pytorch_lightning.tuner.tuning import Tuner
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.callbacks.progress import is_terminal
from yolact_pl.config.build import AUTO, build, describe
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.models.network import YolactNetwork
from yolact_pl.module import YolactModule
from yolact_pl.schedules.schedule import Schedule
from yolact_pl.training.trainer import check_accelerator

_log = logging.getLogger(__name__)
BATCH_SIZE, LR = "dataset.batch_size", "schedule.lr"
FIRST_BATCH_SIZE = 2
DOUBLINGS = {"cpu": 4, "other": 9}
"""Of the first batch size; on a CPU memory is never full before the machine stands still."""
NUM_RATES = 100
LOWEST_RATE, HIGHEST_RATE = 1e-6, 1e-1
_NOT_YET_SMOOTH = 10
"""The first losses, of which there is no average yet."""
_FOUND = "YOLACT_FOUND"


def tune(cfg: DictConfig, data: CocoDataModule, network: YolactNetwork) -> None:
    """Find what is `auto`, and put it into `cfg` and `data`; the network is as before afterwards.

    Searched on one device, by the first process: those that it starts take its values.

    Raises:
        ValueError: processes that the first one does not start, or nothing can be found.
    """
    wanted = [key for key in (BATCH_SIZE, LR) if OmegaConf.select(cfg, key) == AUTO]
    if not wanted:
        return
    _check_alone(cfg, wanted[0])
    first = int(os.environ.get("LOCAL_RANK", 0)) == 0
    found = {} if first else json.loads(os.environ.get(_FOUND, "{}"))
    if BATCH_SIZE in wanted:
        found[BATCH_SIZE] = found.get(BATCH_SIZE) or find_batch_size(cfg, data, network)
        data.batch_size = cfg.dataset.batch_size = found[BATCH_SIZE]
    if LR in wanted:
        found[LR] = found.get(LR) or find_learning_rate(cfg, data, network)
        cfg.schedule.lr = found[LR]
        if "warmup_lr" in cfg.schedule:
            cfg.schedule.warmup_lr = min(cfg.schedule.warmup_lr, found[LR])
    os.environ[_FOUND] = json.dumps(found)


def find_batch_size(cfg: DictConfig, data: CocoDataModule, network: YolactNetwork) -> int:
    """The largest power of two of images a device with which some steps fit into its memory."""
    trainer = _one_device(cfg)
    on_cpu = isinstance(trainer.accelerator, CPUAccelerator)
    size = Tuner(trainer).scale_batch_size(
        _module(cfg, data, network),
        datamodule=data,
        init_val=FIRST_BATCH_SIZE,
        max_trials=1 + DOUBLINGS["cpu" if on_cpu else "other"],
    )
    if not size:
        raise ValueError("dataset.batch_size=auto: not even one image fits; give a smaller image_size")
    size = min(size, data.train_size)
    limit = "; on a CPU none larger is tried" if on_cpu else ""
    rank_zero_only(_log.info)("batch size %d images on each device, found by trying%s", size, limit)
    return size


def find_learning_rate(cfg: DictConfig, data: CocoDataModule, network: YolactNetwork) -> float:
    """The rate at which the loss falls fastest, as `schedule.lr` states it: for `schedule.batch_size` images.

    The rate rises step by step from `LOWEST_RATE` to `HIGHEST_RATE` or until the loss explodes. Writes
    `learning_rate.png` to the output.

    Raises:
        ValueError: the loss did not fall.
    """
    module = _module(cfg, data, network)
    quiet = contextlib.nullcontext() if is_terminal() else contextlib.redirect_stderr(io.StringIO())
    with quiet:  # a bar that cannot be switched off
        finder = Tuner(_one_device(cfg)).lr_find(
            module,
            datamodule=data,
            min_lr=LOWEST_RATE,
            max_lr=HIGHEST_RATE,
            num_training=NUM_RATES,
            update_attr=False,
        )
    rates, losses = ([], []) if finder is None else (finder.results["lr"], finder.results["loss"])
    rate = steepest(rates, losses)
    if rate is None:
        raise ValueError("schedule.lr=auto: the loss does not fall at any rate; give a learning rate")
    sizes = data.batch_size
    batch_size = sizes if isinstance(sizes, int) else sizes[0]
    stated = float(f"{rate / module.schedule.lr_scale(batch_size):.3g}")
    path = Path(cfg.output) / "learning_rate.png"
    _plot(rates, losses, rate, path)
    rank_zero_only(_log.info)(
        "learning rate %.3g for %d images a step, found by trying (%s): schedule.lr=%g",
        rate, batch_size, path, stated,
    )  # fmt: skip
    return stated


def steepest(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """The rate at which the loss falls fastest, over the logarithm of the rate; None where it never falls.

    Lightning's own suggestion takes the slope over the rate itself, which prefers the noise of the smallest.

    Args:
        rates: rising.
        losses: of the steps with these rates, smoothed; the last may be infinite.
    """
    kept = np.isfinite(losses)
    kept[:_NOT_YET_SMOOTH] = False
    if kept.sum() < 2:
        return None
    x, y = np.asarray(rates)[kept], np.asarray(losses)[kept]
    slope = np.gradient(y, np.log(x))
    return float(x[slope.argmin()]) if slope.min() < 0 else None


def _plot(rates: Sequence[float], losses: Sequence[float], rate: float, path: Path) -> None:
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    axes.plot(rates, losses)
    axes.axvline(rate, linestyle="--", label=f"falls fastest at {rate:.3g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss, smoothed")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def _check_alone(cfg: DictConfig, key: str) -> None:
    outside = [e for e in (TorchElasticEnvironment, SLURMEnvironment) if e.detect()]
    if cfg.trainer.num_nodes > 1 or outside:
        raise ValueError(
            f"{key}=auto is found by a run on one machine that starts its processes itself; find it there "
            "first, and give the number"
        )


def _one_device(cfg: DictConfig) -> Trainer:
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    check_accelerator(cfg.trainer.accelerator)
    devices = cfg.trainer.devices
    return Trainer(
        accelerator=cfg.trainer.accelerator,
        devices=1 if isinstance(devices, int | str) else [devices[0]],
        precision=cfg.trainer.precision,
        default_root_dir=cfg.output,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=-1,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        use_distributed_sampler=False,
    )


def _module(cfg: DictConfig, data: CocoDataModule, network: YolactNetwork) -> YolactModule:
    """As it will be trained, but for the schedule's length and rate, which do not matter here."""
    rates = {key: LOWEST_RATE for key in ("lr", "warmup_lr") if key in cfg.schedule}
    schedule: Schedule = build(cfg.schedule, **rates)
    return YolactModule(
        network,
        build(cfg.model.loss),
        build(cfg.model.postprocess),
        schedule,
        description=describe(cfg, data),
        freeze_bn=cfg.model.freeze_bn is True,
        channels_last=cfg.channels_last,
        seed=cfg.seed,
    )
