"""`run.py` in processes of its own, with accidents planted in it."""

import contextlib
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TINY: list[str] = runpy.run_path(str(Path(__file__).with_name("conftest.py")))[
    "TINY"
]  # not importable by name
TIMEOUT = 100
"""Seconds after which a run counts as hanging."""

PLANTED = """
import multiprocessing, os, resource, signal, time, torch
from yolact_pl.callbacks import checkpoint_file
from yolact_pl.losses.yolact_loss import YolactLoss
from yolact_pl.module import YolactModule
from yolact_pl.tasks.main import main

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
    seconds: float
    """Until the last of its processes had ended."""

    @property
    def resume_command(self) -> str:
        match = re.search(r"go on with:\n\n +(.+)\n", self.output)
        assert match, self.output
        return match[1]


def run_py(output: Path, *overrides: str, plan: str | None = None) -> Finished:
    """Run to the end, in the folder `output`.

    Args:
        output: of the run.
        overrides: after those of `TINY`.
        plan: python lines that use `before(owner, method name, function)`; without them it is `run.py`.
    """
    script = ROOT / "run.py"
    if plan is not None:
        output.mkdir(parents=True, exist_ok=True)
        script = output / "run.py"
        script.write_text(PLANTED.format(plan=plan))
    return _finish([sys.executable, str(script), *TINY, *overrides, f"hydra.run.dir={output}"])


def run_command(command: str) -> Finished:
    """Run a command line as it was printed, in the folder of the repository."""
    return _finish(["bash", "-c", command])


def _finish(command: list[str]) -> Finished:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PATH": path}
    for name in ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        environment.pop(name, None)  # what a run of this process may have left
    start = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:  # the output ends when the last process of the run has closed it
        output = process.communicate(timeout=TIMEOUT)[0]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return Finished(process.returncode, output, time.monotonic() - start)
