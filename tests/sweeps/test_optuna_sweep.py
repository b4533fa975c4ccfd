"""A search with Optuna, stopped and gone on with."""

import re
import subprocess
import time
from pathlib import Path

import pytest
from sweep_command import command, environment, rows, sweep

pytest.importorskip("optuna")
pytestmark = pytest.mark.slow
SEARCH = ["hparams_search=optuna", "hydra.sweep.dir=search", "optimizer.weight_decay=1e-3"]


def drawn(folder: Path) -> dict[int, float]:
    return {int(r["job"]): float(re.findall(r"schedule\.lr=(\S+)", r["overrides"])[0]) for r in rows(folder)}


def test_trials_of_earlier_sweeps_count_and_are_not_repeated(tmp_path: Path) -> None:
    end = sweep(tmp_path, *SEARCH, "hydra.sweeper.n_trials=2")
    assert end.returncode == 0, end.stdout
    first = drawn(tmp_path / "search")
    end = sweep(
        tmp_path, *SEARCH, "hydra.sweeper.n_trials=5", "hydra.sweeper.trials_at_once=2",
        "hydra.launcher.parallel_jobs=2",
    )  # fmt: skip
    assert end.returncode == 0, end.stdout
    assert "study of 5 trials: 2 have ended, 0 were interrupted" in end.stdout
    both = drawn(tmp_path / "search")
    assert sorted(both) == [0, 1, 2, 3, 4]
    assert {number: both[number] for number in first} == first
    assert len(set(both.values())) == 5
    assert all(1e-4 <= lr <= 1e-2 for lr in both.values())
    nearest = min(both, key=lambda number: abs(both[number] - 0.005))
    assert rows(tmp_path / "search")[0]["job"] == str(nearest)
    assert f"best of 5 trials: #{nearest}," in end.stdout
    other = sweep(tmp_path, *SEARCH, "image_size=64")
    assert other.returncode == 1
    assert "give these overrides, or another hydra.sweep.dir" in other.stdout
    assert "Traceback" not in other.stdout


def test_interrupted_trial_is_repeated_in_its_folder(tmp_path: Path) -> None:
    space = [*SEARCH, "source=wait", "hydra.sweeper.n_trials=2"]
    process = subprocess.Popen(
        command(tmp_path, *space), cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (tmp_path / "search" / "0" / "waits").exists():
        time.sleep(0.05)
    process.terminate()
    assert process.wait(20) == 143
    before = drawn(tmp_path / "search")
    assert [row["status"] for row in rows(tmp_path / "search")] == ["stopped"]
    (tmp_path / "go").touch()
    end = sweep(tmp_path, *space, "resume=auto")
    assert end.returncode == 0, end.stdout
    assert "study of 2 trials: 0 have ended, 1 were interrupted" in end.stdout
    assert sorted(row["job"] for row in rows(tmp_path / "search")) == ["0", "1"]
    assert {row["status"] for row in rows(tmp_path / "search")} == {"done"}
    assert drawn(tmp_path / "search")[0] == before[0]
    assert (tmp_path / "search" / "0" / "output.log").read_text().count("lr ") == 2


def test_failed_trial_is_passed_over_and_told(tmp_path: Path) -> None:
    space = ["hparams_search=optuna", "hydra.sweep.dir=search", "hydra.sweeper.n_trials=3"]
    end = sweep(tmp_path, *space, "schedule.lr=3,0.5", "optimizer.weight_decay=0")
    assert end.returncode == 1, end.stdout
    statuses = {lr: {r["status"] for r in rows(tmp_path / "search") if f"lr={lr} " in r["overrides"] + " "}
                for lr in ("3", "0.5")}  # fmt: skip
    assert statuses == {"3": {"failed"}, "0.5": {"done"}}
    assert re.search(r"best of 3 trials: #\d, objective -0.2450  schedule.lr=0.5", end.stdout)


def test_kinds_of_sweeps_and_nothing_pruned(tmp_path: Path) -> None:
    whole = ["source=asks", "hydra.sweeper.prune=false", "hydra.sweeper.n_startup_trials=0"]
    end = sweep(
        tmp_path, *SEARCH, "hydra.sweeper.n_trials=3", "image_size=range(64,129,32)", "backbone=r18,r34",
        "seed=int(interval(3,5))", *whole,
    )  # fmt: skip
    assert end.returncode == 0, end.stdout
    assert "ended early" not in end.stdout
    for row in rows(tmp_path / "search"):
        values = dict(re.findall(r"(\w+)=(\S+)", row["overrides"]))
        assert values["image_size"] in {"64", "96", "128"}
        assert values["backbone"] in {"r18", "r34"}
        assert values["seed"] in {"3", "4", "5"}
