"""What holds for all tests."""

import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_method

from tests.tiny_run import TINY, compose_config


def pytest_configure() -> None:
    """What processes that tests start inherit.

    Shells have commands in the background ignore Ctrl+C. One thread each: the workers of pytest-xdist use the
    cores already, and a sum is then the same in every process.
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported, by the test files
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs of this session keep their shapes."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def bfloat16_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU claims to compute in bfloat16; where it does not, torch emulates it, slowly."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)


@pytest.fixture
def run_task(data_dir: Path) -> Callable[..., Any]:
    """Call a task in this process: `run_task(output_folder, *overrides)`."""

    def run(output: Path, *overrides: str) -> Any:
        cfg = compose_config([*TINY, f"data_dir={data_dir}", *overrides], output)
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        return get_method(cfg.task.run)(cfg)

    return run
