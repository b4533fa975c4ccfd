"""`run.py` in processes of its own, with accidents planted in it."""

import contextlib
import multiprocessing
import os
import re
import runpy
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tests.tiny_run import ROOT, TINY

TIMEOUT = 100
"""Seconds after which a run counts as hanging."""

PLANTED = """
import multiprocessing, os, resource, signal, time, torch
from yolact_pl.callbacks import checkpoint_file
from yolact_pl.losses.yolact_loss import YolactLoss
from yolact_pl.module import YolactModule
from yolact_pl.cli.main import main

rank = int(os.environ.get("LOCAL_RANK", 0))

def before(owner, name, plan):
    original = getattr(owner, name)
    def planted(self, *arguments, **options):
        plan(self, *arguments)
        return original(self, *arguments, **options)
    setattr(owner, name, planted)

{plan}
main()
"""


@dataclass
class Finished:
    """A process that has ended, with all it has started."""

    code: int
    output: str
    """Standard output and standard error."""
    ended: float
    """When the last of its processes did, by `time.monotonic`."""

    @property
    def resume_command(self) -> str:
        """Of `run.py` itself, without the accidents that are planted in this run."""
        match = re.search(r"go on with:\n\n +(.+)\n", self.output)
        assert match, self.output
        return re.sub(r"(?<=python )\S+run\.py", "run.py", match[1])


def run_py(output: Path, *overrides: str, tiny: Sequence[str] = TINY, plan: str | None = None) -> Finished:
    """Run to the end, in the folder `output`.

    The process is forked from one that has imported all that a training needs, which takes longer than the
    runs of these tests.

    Args:
        output: of the run.
        overrides: after those of `tiny`.
        tiny: what makes the run small.
        plan: python lines that use `before(owner, method name, function)`; without them it is `run.py`.
    """
    script = ROOT / "run.py"
    if plan is not None:
        output.mkdir(parents=True, exist_ok=True)
        script = output / "run.py"
        script.write_text(PLANTED.format(plan=plan))
    return _finish(_run_script, [str(script), *tiny, *overrides, f"hydra.run.dir={output}"])


def run_command(command: str) -> Finished:
    """Run a command line as it was printed, in the folder of the repository."""
    return _finish(os.execvp, "bash", ["bash", "-c", command])


def _run_script(arguments: list[str]) -> None:
    sys.argv = arguments
    runpy.run_path(arguments[0], run_name="__main__")


def _finish(target: Callable[..., object], *arguments: object) -> Finished:
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["yolact_pl.tasks.train"])
    printed, printing = server.Pipe(duplex=False)
    process = server.Process(target=_begin, args=(printing, target, *arguments))
    process.start()
    printing.close()
    try:  # the output ends when the last process of the run has closed it
        output = _read_all(printed)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.join()
    assert process.exitcode is not None
    return Finished(process.exitcode, output, time.monotonic())


def _begin(printing: Connection, target: Callable[..., object], *arguments: object) -> None:
    """In the new process: a group, an output and an environment of its own."""
    os.setsid()
    multiprocessing.set_start_method(None, force=True)  # data workers start as they do elsewhere
    for stream in (1, 2):
        os.dup2(printing.fileno(), stream)
    printing.close()
    os.chdir(ROOT)
    for name in ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        os.environ.pop(name, None)  # what a run of the tests' own process may have left
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    os.environ.update(PYTHONPATH=str(ROOT), PATH=path)
    target(*arguments)


def _read_all(printed: Connection) -> str:
    deadline, pieces = time.monotonic() + TIMEOUT, []
    while select.select([printed], [], [], max(0, deadline - time.monotonic()))[0]:
        piece = os.read(printed.fileno(), 1 << 16)
        if not piece:
            return b"".join(pieces).decode()
        pieces.append(piece)
    raise TimeoutError(f"the run hangs; so far it has said:\n{b''.join(pieces).decode()}")
