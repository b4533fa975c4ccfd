"""One csv file of a run, whatever happens to it."""

import csv
import errno
import logging
from pathlib import Path
from typing import Any

import pytest

from yolact_pl.callbacks.csv_log import ContinuedCsvLogger


def logger(folder: Path) -> ContinuedCsvLogger:
    return ContinuedCsvLogger(folder, name="", version="csv")


def log(target: ContinuedCsvLogger, step: int, **metrics: float) -> None:
    target.log_metrics(metrics, step)
    target.save()


def rows(folder: Path) -> list[dict[str, str]]:
    """Without the empty cells."""
    with (folder / "csv" / "metrics.csv").open() as file:
        return [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]


def test_rows_of_a_resumed_run_follow_and_those_behind_its_checkpoint_are_replaced(tmp_path: Path) -> None:
    first = logger(tmp_path)
    for step in range(5):
        log(first, step, loss=step)
    log(first, 4, ap=0.5)
    again = logger(tmp_path)
    log(again, 3, loss=30)
    log(again, 3, rate=0.1)
    assert rows(tmp_path) == [
        {"step": "0", "loss": "0"},
        {"step": "1", "loss": "1"},
        {"step": "2", "loss": "2"},
        {"step": "3", "loss": "30"},
        {"step": "3", "rate": "0.1"},
    ]


def test_row_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    first = logger(tmp_path)
    log(first, 0, loss=1.5, rate=2.5)
    file = tmp_path / "csv" / "metrics.csv"
    file.write_text(file.read_text() + "7.5,")
    log(logger(tmp_path), 1, loss=3.5)
    assert rows(tmp_path) == [{"step": "0", "loss": "1.5", "rate": "2.5"}, {"step": "1", "loss": "3.5"}]


def test_full_disk_costs_no_row_and_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    target = logger(tmp_path)
    log(target, 0, loss=1)
    log(target, 1, loss=2)
    original = csv.DictWriter.writerows

    def half(self: Any, new: Any) -> None:
        original(self, list(new)[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(csv.DictWriter, "writerows", half)
        log(target, 2, loss=3)
        log(target, 3, ap=4)
        target.finalize("failed")
    assert [record.message.count("No space left") for record in caplog.records] == [1]
    log(target, 4, loss=5)
    wanted = [(0, "loss"), (1, "loss"), (2, "loss"), (3, "ap"), (4, "loss")]
    assert rows(tmp_path) == [{"step": str(step), name: str(step + 1)} for step, name in wanted]


def test_other_files_of_the_folder_are_kept(tmp_path: Path) -> None:
    target = logger(tmp_path)
    target.log_hyperparams({"lr": 0.1})
    log(target, 0, loss=1)
    assert "0.1" in (tmp_path / "csv" / "hparams.yaml").read_text()
    log(logger(tmp_path), 1, loss=2)
    assert sorted(path.name for path in (tmp_path / "csv").iterdir()) == ["hparams.yaml", "metrics.csv"]
