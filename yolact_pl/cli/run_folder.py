"""A folder of its own for each run."""

import os
from pathlib import Path
from typing import Any, BinaryIO

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, read_write

LOCK = ".lock"
_held: list[BinaryIO] = []


class RunFolder(Callback):
    """Claims the folder of a run or sweep before Hydra writes into it.

    The folder named after the time is a new one, with a number behind its name if it exists already. A folder
    that was typed may exist, but no running process may write to it. Processes that a run starts share its
    folder.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        _claim(config, "run")

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        _claim(config, "sweep")


def _claim(config: DictConfig, kind: str) -> None:
    ranks = (os.environ.get(name, "0") for name in ("LOCAL_RANK", "RANK", "SLURM_PROCID"))
    if any(rank != "0" for rank in ranks):
        return
    HydraConfig.instance().set_config(config)  # ${name} may need it
    key = f"hydra.{kind}.dir"
    folder = Path(config.hydra[kind].dir)
    typed = any(override.startswith(f"{key}=") for override in config.hydra.overrides.hydra)
    if not typed:
        folder = _new(folder)
        with read_write(config.hydra):
            config.hydra[kind].dir = str(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not _lock(folder / LOCK):
        raise SystemExit(f"error: {key}={folder}: a running process writes to this folder; give another one")


def _new(folder: Path) -> Path:
    """The folder, created, with a number behind its name if there is one already."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    name, number = folder.name, 1
    while True:
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
            folder = folder.with_name(f"{name}_{number}")
        else:
            return folder


def _lock(path: Path) -> bool:
    """Whether this process, as long as it lives, is the only one that holds a file."""
    file = path.open("ab")
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not inherited by data workers
    except (BlockingIOError, PermissionError):
        file.close()
        return False
    except OSError:  # a file system without locks
        pass
    _held.append(file)
    return True
