"""Where the checkpoints of earlier runs are."""

from collections.abc import Iterable
from pathlib import Path

from omegaconf import DictConfig

from yolact_pl.checkpoints.description import CheckpointError


def checkpoint_to_resume(cfg: DictConfig) -> Path | None:
    """The file that `cfg.resume` means; for `auto` the newest of this folder, or else of this name.

    Returns:
        None where `resume` is null, or is `auto` and there is none yet.

    Raises:
        CheckpointError: a path was given and is no file.
    """
    if cfg.resume is None:
        return None
    if cfg.resume != "auto":
        return _existing(cfg.resume, key="resume")
    own = _newest(Path(cfg.output).glob("checkpoints/*.ckpt"))
    return own or _newest(_runs(cfg).glob("*/checkpoints/*.ckpt"))


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
    newest = _newest(_runs(cfg).glob("*/checkpoints/*.ckpt"))
    if newest is None:
        raise CheckpointError(
            f"checkpoint=auto: no checkpoint under {_runs(cfg)}; train first, or give checkpoint=<file>"
        )
    best = [path for path in newest.parent.glob("*.ckpt") if not _is_only_recent(path)]
    return _newest(best) or newest


def _is_only_recent(path: Path) -> bool:
    return path.stem.startswith("last") or path.stem.endswith(("_periodic", "_interrupt"))


def _runs(cfg: DictConfig) -> Path:
    return Path(cfg.output).parent


def _existing(path: str, *, key: str) -> Path:
    if not Path(path).is_file():
        raise CheckpointError(f"{key}={path}: no such file")
    return Path(path)


def _newest(paths: Iterable[Path]) -> Path | None:
    return max(paths, key=lambda path: path.stat().st_mtime, default=None)
