"""What torch says of dead processes, in one sentence; what else it says, as it is."""

import re
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Trainer

from yolact_pl.training.accidents import AccidentError, RunTrainer, accidents_in_words

WORKER = "DataLoader worker (pid 7)"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (f"{WORKER} is killed by signal: Killed. ", "worker 7 is killed by signal: Killed;"),
        (
            f"{WORKER} is killed by signal: Bus error. It may be the memory.",
            "7 is killed by signal: Bus error;",
        ),
        (
            f"{WORKER} exited unexpectedly with exit code 1. Details are",
            "exited unexpectedly with exit code 1;",
        ),
        ("DataLoader worker (pid(s) 1, 23) exited unexpectedly", "worker 1, 23 exited unexpectedly;"),
        ("[pair.cc:534] Connection closed by peer [::1]:22\nmore", "has ended (Connection closed by peer)"),
    ],
)
def test_sentences(said: str, sentence: str) -> None:
    with pytest.raises(AccidentError, match=re.escape(sentence)) as caught, accidents_in_words():
        raise RuntimeError(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            torch.cuda.OutOfMemoryError("CUDA out of memory."),
            "the memory of the GPU is",
        ),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), "the memory of the GPU is"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            "the memory of this machine is",
        ),
        (MemoryError(), "the memory of this machine is"),
    ],
)
def test_exhausted_memory(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fit(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(Trainer, "fit", fit)
    with pytest.raises(ValueError, match=f"^{sentence} not enough: lower dataset.batch_size"):
        RunTrainer(logger=False, default_root_dir=tmp_path, accelerator="cpu").fit()


def test_failed_collective_operation() -> None:
    with pytest.raises(AccidentError, match="another process"), accidents_in_words():
        raise torch.distributed.DistBackendError("NCCL communicator was aborted on rank 0.")


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as caught, accidents_in_words():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    assert not isinstance(caught.value, AccidentError)
