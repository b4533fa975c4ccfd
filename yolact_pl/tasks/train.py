"""task=train"""

import logging
import sys
from functools import partial
from pathlib import Path

import torch
from omegaconf import DictConfig
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.callbacks.hyper_parameters import HyperParameters
from yolact_pl.callbacks.interrupt import SaveOnInterrupt
from yolact_pl.callbacks.last_checkpoint import LastCheckpoint
from yolact_pl.callbacks.pruning import EndBadTrial
from yolact_pl.cli.sweep_report import running_trial
from yolact_pl.cli.typed_command import command_line
from yolact_pl.cli.typed_overrides import quoted
from yolact_pl.config.build import AUTO, build, describe, image_size, settle_image_size
from yolact_pl.config.class_names import data_with_classes
from yolact_pl.config.config_difference import log_difference
from yolact_pl.config.hyper_parameters import hyper_parameters
from yolact_pl.config.missing_data import check_data
from yolact_pl.config.report_facts import trained_facts
from yolact_pl.config.switches import check_compile, check_switches, compile_network
from yolact_pl.config.trained import load_trained
from yolact_pl.data.datamodule import CocoDataModule, sizes_per_process
from yolact_pl.module import YolactModule
from yolact_pl.schedules.schedule import Schedule
from yolact_pl.schedules.step_decay import StepDecay
from yolact_pl.training.fine_tune import network_to_train, step_to_start_at
from yolact_pl.training.measuring import checkpoint_subject, measure
from yolact_pl.training.resume import run_to_resume
from yolact_pl.training.shared_folder import share_output_folder
from yolact_pl.training.spawned import best_score
from yolact_pl.training.trainer import build_callbacks, build_trainer, num_processes, set_length
from yolact_pl.training.training_data import training_data
from yolact_pl.training.tuning import tune
from yolact_pl.training.warn_of_mistakes import warn_of_mistakes

_log = logging.getLogger(__name__)
MIN_IMAGES_FOR_BATCH_NORM = 6
PRETRAINED = "pretrained"
MOST_EPOCHS = 1000
"""Longer schedules are warned of."""
USUAL_EPOCHS = 500
"""The length that such a warning proposes."""


def run(cfg: DictConfig) -> float | None:
    """Train, and return the best mask AP (0..1) of the validations, None where there were none.

    Raises:
        ValueError: data, weights or settings that can't be trained on.
    """
    share_output_folder(cfg)
    check_switches(cfg, "channels_last", "report")
    check_compile(cfg, "compile")
    resumed = run_to_resume(cfg)
    if resumed is not None:
        resumed.keep_found(cfg)
    data = training_data(cfg)
    check_data(data, cfg, "fit")
    settle_image_size(cfg, data)
    if resumed is not None:
        origin = f"resume={resumed.path}"
        data = data_with_classes(cfg, training_data, data, resumed.class_names, origin)
    warn_of_mistakes(data)
    torch.manual_seed(cfg.seed)
    network = network_to_train(cfg, data.classes)
    tune(cfg, data, network)
    compile_network(network, cfg.compile)
    callbacks = build_callbacks(cfg)
    callbacks["hyper_parameters"] = HyperParameters(hyper_parameters(cfg))
    callbacks["interrupt"] = SaveOnInterrupt(
        Path(cfg.output) / "checkpoints", name=cfg.name, resume_command=partial(_resume_command, cfg.output)
    )
    if (is_bad := running_trial()) is not None:
        callbacks["pruning"] = EndBadTrial(is_bad)
    if data.num_val_objects == 0:  # nothing to measure, so no AP to monitor
        if "early_stopping" in callbacks:
            raise ValueError(
                "callbacks=early_stopping needs a validation set with objects, and there is none"
            )
        callbacks.pop("best", None)
        if not data.has_validation:
            callbacks.pop("evaluation", None)
    schedule: Schedule = build(cfg.schedule)
    trainer = build_trainer(cfg, list(callbacks.values()), max_steps=schedule.max_steps)
    scaled = schedule.scaled(total_batch_size(data, trainer), data.train_size)
    scaled = scaled.starting_at(step_to_start_at(cfg))
    set_length(trainer, scaled.run_steps, cfg)
    freezing = cfg.model.freeze_bn
    if isinstance(freezing, str) and resumed is not None:
        freezing = resumed.froze_batch_norm(network)
    module = YolactModule(
        network,
        build(cfg.model.loss),
        build(cfg.model.postprocess),
        scaled,
        description=describe(cfg, data),
        freeze_bn=freeze_bn(
            freezing,
            batch_size=min(sizes_per_process(data.batch_size, num_processes(trainer))),
            pretrained=network.backbone.pretrained,
        ),
        channels_last=cfg.channels_last,
        seed=cfg.seed,
    )
    resume = None
    if resumed is not None:
        resumed.check(module, cfg)
        resume, resumed = resumed.path, None  # its weights are read again, on their device
    _announce(cfg, data, module, schedule, resume)
    trainer.fit(module, datamodule=data, ckpt_path=resume)
    if cfg.report:
        _report(cfg, data, callbacks)
    return _finish(callbacks)


def total_batch_size(data: CocoDataModule, trainer: Trainer) -> int:
    """Images per optimizer step: on all devices and nodes, accumulated batches included."""
    return sum(sizes_per_process(data.batch_size, num_processes(trainer))) * trainer.accumulate_grad_batches


def freeze_bn(setting: str | bool, *, batch_size: int, pretrained: bool) -> bool:
    """Whether batch norm keeps its statistics: statistics of few images are worse than good old ones.

    Args:
        setting: `auto`: where there are good statistics and few images; `pretrained`: where there are good
            statistics; or what to do.
        batch_size: images on one device, where unequal on that with the fewest.
        pretrained: there are statistics worth keeping.
    """
    if setting in (AUTO, PRETRAINED):
        return pretrained and (setting == PRETRAINED or batch_size < MIN_IMAGES_FOR_BATCH_NORM)
    if not isinstance(setting, bool):
        raise ValueError(f"model.freeze_bn={setting}: expected auto, pretrained, true or false")
    return setting


@rank_zero_only
def _announce(
    cfg: DictConfig, data: CocoDataModule, module: YolactModule, stated: Schedule, resume: Path | None
) -> None:
    """Log what is about to happen, and what was scaled."""
    scaled = module.schedule
    epochs = scaled.run_steps * scaled.batch_size / data.train_size
    trainable = sum(p.numel() for p in module.network.parameters() if p.requires_grad)
    frozen = "frozen" if module.batch_norm_frozen else "trained"
    _log.info("data       %d training and %d validation images, %d classes, %d x %d pixels",
              data.train_size, data.val_size, data.num_classes, *image_size(cfg))  # fmt: skip
    if data.sources.wanted_fraction == AUTO and data.sources.val_fraction is not None:
        _log.info("validation with %d of the training images, as no validation set is given; "
                  "dataset.val_fraction=... overrides", data.val_size)  # fmt: skip
    _log.info("network    %.1f million trainable weights, batch norm %s", trainable / 1e6, frozen)
    if scaled.batch_size != stated.batch_size:
        _log.info("schedule   stated for %d images a step, scaled to %d: %s",
                  stated.batch_size, scaled.batch_size, scaled.describe())  # fmt: skip
    else:
        _log.info("schedule   %s", scaled.describe())
    _log.info("length     %s steps, %.1f epochs; %s=... overrides",
              f"{scaled.run_steps:,}", epochs, scaled.length_key)  # fmt: skip
    if epochs > MOST_EPOCHS:
        _log.warning(
            "that is long for %d images; %sfor %d epochs: %s", data.train_size,
            "experiment=own_data suits the length to the data set; " if isinstance(stated, StepDecay) else "",
            USUAL_EPOCHS, stated.of_epochs(USUAL_EPOCHS, data.train_size),
        )  # fmt: skip
    _log.info("output     %s", cfg.output)
    log_difference()
    if resume is not None:
        _log.info("resume     %s", resume)


def _resume_command(output: str, checkpoint: Path) -> str:
    """The command line of this run, in the same folder, with `resume=checkpoint`."""
    arguments = [a for a in sys.argv[1:] if not a.startswith(("resume=", "hydra.run.dir="))]
    return command_line([*arguments, f"hydra.run.dir={quoted(output)}", f"resume={quoted(str(checkpoint))}"])


def _report(cfg: DictConfig, data: CocoDataModule, callbacks: dict[str, Callback]) -> None:
    """Write the report of the best checkpoint, if there is one; a failure does not take the run with it."""
    best = callbacks.get("best")
    if not isinstance(best, ModelCheckpoint) or "evaluation" not in callbacks or not best.best_model_path:
        return
    quiet = cfg.copy()
    quiet.update(checkpoint=best.best_model_path, logger=None)
    try:
        trained = load_trained(quiet)
        facts = trained_facts(trained, data, Path(cfg.output))
        measure(quiet, checkpoint_subject(trained, data), facts=facts)
    except (ValueError, OSError) as error:
        _log.warning("no report: %s", error)


def _finish(callbacks: dict[str, Callback]) -> float | None:
    """Say where the best checkpoint is; its mask AP is the result of the run."""
    best, last = callbacks.get("best"), callbacks.get("last")
    if isinstance(best, ModelCheckpoint) and best.best_model_path:
        score = best_score(best)
        shown = "" if score is None else f" (mask AP {100 * score:.2f})"
        rank_zero_only(_log.info)("best checkpoint: %s%s", best.best_model_path, shown)
        return score
    if isinstance(last, LastCheckpoint) and last.path.exists():
        rank_zero_only(_log.info)("last checkpoint: %s", last.path)
    return None
