"""The bar, without a training around it."""

import fcntl
import logging
import os
import pty
import struct
import sys
import termios
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tqdm import tqdm

from yolact_pl.callbacks import progress
from yolact_pl.callbacks.progress import RunProgress


class Clock:
    """Time that passes only when told so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(tqdm, "__init__", self._with_clock(tqdm.__init__))

    def _with_clock(self, original: Any) -> Any:
        def init(bar: tqdm, *arguments: Any, **options: Any) -> None:
            original(bar, *arguments, **options)
            bar._time = lambda: self.now
            bar.start_t = bar.last_print_t = self.now

        return init


def trainer(step: int, *, total: int = 1000, is_global_zero: bool = True) -> Any:
    return SimpleNamespace(
        global_step=step,
        estimated_stepping_batches=total,
        is_global_zero=is_global_zero,
        sanity_checking=False,
        num_val_batches=[4],
        callback_metrics={"loss/box": torch.tensor(1.234), "images_per_second": torch.tensor(56.78)},
    )


def train(bar: RunProgress, clock: Clock, steps: range, *, seconds: float) -> None:
    for step in steps:
        clock.now += seconds
        bar.on_train_batch_end(trainer(step), Any, None, None, 0)  # type: ignore[arg-type]


def start(monkeypatch: pytest.MonkeyPatch, *, terminal: bool, first: Any) -> RunProgress:
    monkeypatch.setattr(progress, "is_terminal", lambda: terminal)
    bar = RunProgress()
    bar.setup(first, Any, "fit")  # type: ignore[arg-type]
    bar.on_train_start(first, Any)  # type: ignore[arg-type]
    return bar


def test_without_a_terminal_a_line_is_logged_each_15_seconds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A resumed run: its first step takes 10 s, the others 1 s; after 59 of them 441 are to go, 7:21."""
    caplog.set_level(logging.INFO)
    clock = Clock(monkeypatch)
    bar = start(monkeypatch, terminal=False, first=trainer(500))
    train(bar, clock, range(501, 502), seconds=10.0)
    assert caplog.messages == []
    train(bar, clock, range(502, 560), seconds=1.0)
    assert len(caplog.messages) == 68 // 15
    last = caplog.messages[-1]
    assert last.startswith("train")
    step = int(last.split()[1].split("/")[0])
    remaining = f"<{(1000 - step) // 60:02d}:{(1000 - step) % 60:02d},"
    assert remaining in last
    assert "box=1.23" in last
    assert "images/s=56.8" in last
    bar.teardown(Any, Any, "fit")  # type: ignore[arg-type]
    assert capsys.readouterr().err == ""


def test_in_a_terminal_logged_lines_stand_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the handlers of the log are as before when the bar is closed."""
    clock = Clock(monkeypatch)
    root = logging.getLogger()
    handler = logging.StreamHandler(sys.stdout)
    monkeypatch.setattr(root, "handlers", [handler])
    monkeypatch.setattr(root, "level", logging.INFO)
    bar = start(monkeypatch, terminal=True, first=trainer(0))
    train(bar, clock, range(1, 5), seconds=1.0)
    bar.on_validation_start(trainer(4), Any)  # type: ignore[arg-type]
    root.info("a table")
    bar.on_validation_end(trainer(4), Any)  # type: ignore[arg-type]
    shown = capsys.readouterr()
    assert "a table\n" in shown.out.replace("\r", "\n")
    assert "4/1000" in shown.err
    assert "box=1.23" in shown.err
    bar.on_exception(Any, Any, KeyboardInterrupt())  # type: ignore[arg-type]
    assert root.handlers == [handler]


def test_terminal_without_a_width_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        for columns in (80, 0):
            fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            assert progress.is_terminal() == (columns > 0)
    os.close(ours)


def test_other_processes_show_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock(monkeypatch)
    for terminal in (True, False):
        bar = start(monkeypatch, terminal=terminal, first=trainer(0, is_global_zero=False))
        train(bar, clock, range(1, 50), seconds=1.0)
        bar.on_validation_start(trainer(49), Any)  # type: ignore[arg-type]
        bar.on_validation_end(trainer(49), Any)  # type: ignore[arg-type]
    assert caplog.messages == []
    assert capsys.readouterr().err == ""
