"""Two runs never write to one folder."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, read_write

from tests.tiny_run import ROOT
from yolact_pl.cli.main import config_folder
from yolact_pl.cli.run_folder import RunFolder

HOLD = """
import sys
from hydra import compose, initialize_config_dir
from yolact_pl.cli.main import config_folder
from yolact_pl.cli.run_folder import RunFolder
with initialize_config_dir(str(config_folder()), version_base="1.3"):
    config = compose("config", [f"hydra.run.dir={sys.argv[1]}"], return_hydra_config=True)
RunFolder().on_run_start(config)
print("held", flush=True)
input()
"""


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return compose("config", list(overrides), return_hydra_config=True)


@pytest.mark.parametrize(("kind", "start"), [("run", "on_run_start"), ("sweep", "on_multirun_start")])
def test_a_folder_named_after_the_time_is_a_new_one(kind: str, start: str, tmp_path: Path) -> None:
    folders = []
    for _ in range(3):
        config = composed()
        with read_write(config.hydra):
            config.hydra[kind].dir = str(tmp_path / "name" / "now")
        getattr(RunFolder(), start)(config)
        folders.append(config.hydra[kind].dir)
    assert folders == [str(tmp_path / "name" / name) for name in ("now", "now_2", "now_3")]


@pytest.mark.parametrize("rank", ["LOCAL_RANK", "RANK", "SLURM_PROCID"])
def test_processes_of_a_run_share_its_folder(
    rank: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(rank, "1")
    config = composed()
    with read_write(config.hydra):
        config.hydra.run.dir = str(tmp_path)
    RunFolder().on_run_start(config)
    assert config.hydra.run.dir == str(tmp_path)


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    command = [
        sys.executable,
        str(ROOT / "run.py"),
        "task=convert_data",
        "from=yolo",
        f"hydra.run.dir={tmp_path}",
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert f"error: hydra.run.dir={tmp_path}: a running process writes to this folder" in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    holder.communicate("\n")
    RunFolder().on_run_start(composed(f"hydra.run.dir={tmp_path}"))  # the run has ended
