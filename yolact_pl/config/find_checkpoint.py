"""Checkpoints of earlier runs."""

import logging
from collections.abc import Iterable
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.callbacks.checkpoint_file import PARTIAL
from yolact_pl.checkpoints.description import CheckpointError, read_checkpoint

_log = logging.getLogger(__name__)


def checkpoint_to_resume(cfg: DictConfig) -> Path | None:
    """The file that `cfg.resume` means; for `auto` the newest of this folder, or else of this name.

    `auto` skips what cannot be read, such as a file whose writing was cut short; a warning names it.

    Returns:
        None where `resume` is null, or is `auto` and there is none yet, which is logged.

    Raises:
        CheckpointError: a path was given and is no file.
    """
    if cfg.resume is None:
        return None
    if cfg.resume != "auto":
        return _existing(cfg.resume, key="resume")
    own = _newest_complete(Path(cfg.output).glob("checkpoints/*.ckpt*"))
    found = own or _newest_complete(Path(cfg.output).parent.glob("*/checkpoints/*.ckpt*"))
    if found is None:
        rank_zero_only(_log.info)("nothing to resume in %s: starting", Path(cfg.output).parent)
    return found


def checkpoint_to_use(cfg: DictConfig) -> Path:
    """The file that `cfg.checkpoint` means; for `auto` the best one of the newest run of this name.

    Raises:
        CheckpointError: none was given, or there is none.
    """
    if cfg.checkpoint is None:
        raise CheckpointError(
            "this task needs a checkpoint: give checkpoint=<file>, or checkpoint=auto for the newest run"
        )
    if cfg.checkpoint != "auto":
        return _existing(cfg.checkpoint, key="checkpoint")
    folders = dict.fromkeys((_run_folder(cfg).parent, Path(cfg.output).parent))
    newest = _newest(path for folder in folders for path in folder.glob("*/checkpoints/*.ckpt"))
    if newest is None:
        raise CheckpointError(
            f"checkpoint=auto: no checkpoint under {' or '.join(map(str, folders))}; train first, or give "
            "checkpoint=<file>"
        )
    best = [path for path in newest.parent.glob("*.ckpt") if not _is_only_recent(path)]
    return _newest(best) or newest


def _is_only_recent(path: Path) -> bool:
    return path.stem.startswith("last") or path.stem.endswith(("_periodic", "_interrupt"))


def _run_folder(cfg: DictConfig) -> Path:
    """Where Hydra has put this run, also where `output` is elsewhere."""
    runtime = HydraConfig.get().runtime
    return Path(cfg.output if OmegaConf.is_missing(runtime, "output_dir") else runtime.output_dir)


def _existing(path: str, *, key: str) -> Path:
    if not Path(path).is_file():
        raise CheckpointError(f"{key}={path}: no such file")
    return Path(path)


def _newest_complete(paths: Iterable[Path]) -> Path | None:
    """The newest file with the state of a run."""
    candidates = [path for path in paths if path.suffix in (".ckpt", PARTIAL)]
    for path in sorted(candidates, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            if path.suffix == PARTIAL:
                raise CheckpointError(f"{path} was not written to its end")
            if "optimizer_states" not in read_checkpoint(path):
                raise CheckpointError(f"{path} holds weights, not the state of a run")
        except CheckpointError as error:
            rank_zero_only(_log.warning)("resume=auto skips a checkpoint: %s", error)
        else:
            return path
    return None


def _newest(paths: Iterable[Path]) -> Path | None:
    return max(paths, key=lambda path: path.stat().st_mtime, default=None)
