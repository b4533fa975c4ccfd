"""Images a second, with a clock that is told the time."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from yolact_pl.callbacks import throughput
from yolact_pl.callbacks.throughput import Throughput


def test_counts_all_processes_and_leaves_validation_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 4 on 2 processes every 0.25 s are 32 images a second."""
    now = [0.0]
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: now[0])
    logged: list[float] = []
    module: Any = SimpleNamespace(log=lambda name, value, batch_size: logged.append(value))
    strategy = SimpleNamespace(reduce=lambda own, reduce_op: own + 4)  # the other process has 4, too
    trainer: Any = SimpleNamespace(strategy=strategy)
    callback = Throughput()
    callback.on_train_epoch_start(trainer, module)

    def batches(count: int) -> None:
        for _ in range(count):
            now[0] += 0.25
            callback.on_train_batch_end(trainer, module, None, (torch.zeros(4), []), 0)  # type: ignore[arg-type]

    now[0] += 7.0  # the first batch waits for the workers
    batches(9)
    assert logged == [32.0, 32.0]
    now[0] += 100.0
    callback.on_validation_start(trainer, module)
    batches(5)
    assert logged == [32.0, 32.0, 32.0]
