"""`run.py -m` in a process of its own, with a task in the place of trainings that takes no time."""

import csv
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAND_IN = """
import pathlib, sys, time
from hydra.core.hydra_config import HydraConfig
from yolact_pl.cli.sweep_report import running_trial

def run(cfg):
    print("lr", cfg.schedule.lr, flush=True)
    if cfg.schedule.lr == 3:
        raise ValueError("schedule.lr=3: too much")
    if "wait" in (cfg.source or "") and not pathlib.Path("go").exists():
        pathlib.Path(cfg.output, "waits").touch()
        time.sleep(60)
    if cfg.source == "asks":
        objective = -HydraConfig.get().job.num
        if is_bad := running_trial():
            is_bad(objective, 1)
        return objective
    return -((cfg.schedule.lr - 0.005) ** 2)
"""


def command(folder: Path, *arguments: str) -> list[str]:
    """Of a sweep in `folder`, with `stand_in.run` as its task."""
    (folder / "stand_in.py").write_text(STAND_IN)
    return [
        *[sys.executable, str(ROOT / "run.py"), "-m", "task.run=stand_in.run"],
        *arguments,
    ]


def environment(folder: Path) -> dict[str, str]:
    """In which the sweep finds its task."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}


def sweep(folder: Path, *arguments: str, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
    """Run to its end, in `folder`; standard error is part of the output."""
    return subprocess.run(
        command(folder, *arguments), cwd=folder, env=environment(folder), timeout=timeout, check=False,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def rows(folder: Path) -> list[dict[str, str]]:
    """Of the table that a sweep in this folder has left."""
    with (folder / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))
