"""task=serve: the address, mistakes of options, and a checkpoint behind it."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.serving.running import png
from tests.tiny_run import ROOT


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["host=0.0.0.0"], r"host=0.0.0.0 opens the server to other machines: give token="),
        (["port=70000"], "port=70000: expected a number from 0"),
        (["host=192.0.2.1", "token=word"], "host=192.0.2.1 port=8000 cannot be used"),
        (["token='two words'"], "token: expected letters"),
        (["folder=nowhere"], "folder=nowhere is no folder"),
        (["max_upload=0"], "max_upload=0: expected a whole number"),
        (["half=maybe"], "half=maybe: expected true or false"),
        (["port=0"], "this task needs a checkpoint"),
    ],
)
def test_wrong_options_are_told(
    options: list[str], sentence: str, tmp_path: Path, run_task: Callable[..., Any]
) -> None:
    with pytest.raises(ValueError, match=sentence):
        run_task(tmp_path, "task=serve", *options)


@pytest.mark.slow
def test_a_checkpoint_is_served_until_it_is_stopped(tmp_path: Path, run_task: Callable[..., Any]) -> None:
    run_task(tmp_path)
    (checkpoint, *_) = (tmp_path / "checkpoints").glob("*.ckpt")
    command = [sys.executable, "run.py", "task=serve", f"checkpoint={checkpoint}", "port=0", "device=cpu"]
    process = subprocess.Popen(
        [*command, f"hydra.run.dir={tmp_path / 'served'}"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = next(line.split()[0] for line in process.stdout if "http://" in line)
        with urllib.request.urlopen(f"{address}model", timeout=20) as answer:
            model = json.load(answer)
        assert (model["name"], model["engine"]) == (checkpoint.name, "torch")
        body = png(np.zeros((40, 60, 3), np.uint8))
        with urllib.request.urlopen(f"{address}analyze?min_score=0", body, timeout=20) as answer:
            found = json.load(answer)
        assert found["size"] == [40, 60]
        assert len(found["objects"]["scores"]) > 0
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
