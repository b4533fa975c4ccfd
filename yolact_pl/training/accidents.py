"""Dead processes and exhausted memory, in one sentence."""

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from pytorch_lightning import Trainer

from yolact_pl.cli.out_of_memory import memory_in_words

_FIRST_PROCESS = "YOLACT_FIRST_PROCESS"
_WORKER = re.compile(r"DataLoader worker \(pid\(?s?\)? ?([\d, ]+)\) (.+)", re.DOTALL)
_PEER = re.compile("Connection (closed|reset) by peer|Broken pipe|Socket closed|Connection refused")
_LOOK_EVERY = 2.0
_TRAIN_WITH_LESS = (
    "lower dataset.batch_size (the schedule is scaled to it) or image_size, or give "
    "trainer.precision=bf16-mixed; continue with resume=auto"
)
_EVALUATE_WITH_LESS = "lower dataset.batch_size"


class AccidentError(ValueError):
    """A process that the run needs has died."""


class RunTrainer(Trainer):
    """Lightning's Trainer, which ends with one sentence where another process has died or memory ran out."""

    def fit(self, *args: Any, **options: Any) -> None:
        with memory_in_words(_TRAIN_WITH_LESS), accidents_in_words():
            super().fit(*args, **options)

    def validate(self, *args: Any, **options: Any) -> Any:
        with memory_in_words(_EVALUATE_WITH_LESS), accidents_in_words():
            return super().validate(*args, **options)


@contextmanager
def accidents_in_words() -> Iterator[None]:
    """Raises what torch says of dead processes as one sentence.

    Raises:
        AccidentError: a data worker or another process of the run has died.
    """
    try:
        yield
    except RuntimeError as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        raise AccidentError(sentence) from error


def _sentence(error: RuntimeError) -> str | None:
    said = str(error)
    worker, peer = _WORKER.search(said), _PEER.search(said)
    if worker:
        how = worker[2].split(". ")[0].strip(" .")
        return (
            f"data worker {worker[1]} {how}; if memory ran out, give fewer dataset.num_workers; "
            "continue with resume=auto"
        )
    if peer or isinstance(error, torch.distributed.DistError):
        how = peer[0] if peer else said.splitlines()[0]
        return f"another process of this run has ended ({how}), see its own output; continue with resume=auto"
    return None


def stay_together() -> None:
    """Called by each process of a run: those that the first one starts end when it has gone.

    Without this they would wait for it in the next collective operation of a GPU for half an hour.
    """
    if int(os.environ.get("LOCAL_RANK", 0)) == 0:
        os.environ[_FIRST_PROCESS] = str(os.getpid())
    elif os.environ.get(_FIRST_PROCESS) == str(os.getppid()):  # started by it, not by torchrun or srun
        threading.Thread(target=_watch, args=(os.getppid(),), name="first-process", daemon=True).start()


def _watch(first: int) -> None:
    while os.getppid() == first:
        time.sleep(_LOOK_EVERY)
    os.write(2, b"error: the first process of this run has ended, see its own output\n")
    os._exit(128 + signal.SIGTERM)
