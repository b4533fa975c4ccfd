"""Every benchmark, each in a process of its own, and RESULTS.md written from the tables that they print.

    python benchmarks/run_all.py                  all, in less than 15 minutes on two cores
    python benchmarks/run_all.py data loss        only these, on the screen
    python benchmarks/run_all.py --quick          one repeat each, to see whether they work; on the screen

`evaluation_report`, `export` and `tracking` take minutes or a trained checkpoint, and are run by hand.

What is on top of RESULTS.md, and what is said of its rows, is in `required.py`.
"""

import argparse
import datetime
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from required import REQUIRED, Required, RequiredFigure

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"
SCRIPTS: dict[str, str] = {
    "network": "--networks r50 --repeats 1",
    "deform_conv": "--repeats 1",
    "loss": "--repeats 1",
    "training_step": "--repeats 1",
    "data": "--repeats 2",
    "data_transforms": "--repeats 2",
    "reduced_decoding": "--repeats 1",
    "data_memory": "--count 500 --samples 128",
    "doctor": "--images 500 --annotations 3000 --crowds 20",
    "postprocess": "--repeats 1",
    "evaluation": "--images 40 --compared 10 --repeats 1",
    "end_to_end": "--repeats 1",
    "drawing": "--repeats 1",
    "video": "--frames 4 --repeats 1",
    "start_up": "--repeats 1",
}
"""In the order of RESULTS.md, with what `--quick` asks of each; their own defaults are for the figures."""
PACKAGES = ("torch", "torchvision", "numpy", "opencv-python", "pytorch-lightning")
HEAD = """\
`make bench` runs all and writes this file; `python benchmarks/data.py` runs one, `--help` says what it can
be asked for. The variants of a stage are taken in turn, those of the network each in processes of its own,
and the median counts. The published formulation is written in these scripts as directly as its structure is
known, and checked to give the same. What is said here of a row is kept in `required.py`."""
SECONDS = 600
"""After which a script is given up."""


class Output(NamedTuple):
    """What a script printed."""

    text: str
    seconds: float
    failed: bool

    def cells(self) -> list[list[str]]:
        """All rows of its Markdown tables."""
        lines = [line for line in self.text.splitlines() if line.startswith("|")]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def run(script: str, arguments: Sequence[str]) -> Output:
    """Run a script to its end."""
    start = time.perf_counter()
    command = [sys.executable, str(HERE / f"{script}.py"), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        text, failed = done.stdout, done.returncode != 0
        if failed:
            sys.stderr.write(done.stderr)
    except subprocess.TimeoutExpired:
        text, failed = f"not ready after {SECONDS} s\n", True
    return Output(text, time.perf_counter() - start, failed)


def summary(outputs: dict[str, Output]) -> str:
    """The required rows, those that were measured."""
    lines = [
        "| stage | published formulation | this project | ratio | goal | what bounds it now |",
        "|---|---:|---:|---:|---|---|",
    ]
    for required in REQUIRED:
        if required.script in outputs:
            cells = _summary_cells(required, outputs[required.script].cells())
            lines.append(f"| {' | '.join([required.name, *cells, required.bounds])} |")
    return "\n".join(lines)


def _summary_cells(required: Required | RequiredFigure, rows: list[list[str]]) -> list[str]:
    """Published formulation, this project, ratio and goal."""
    if isinstance(required, RequiredFigure):
        found = [row[1] for row in rows if len(row) == 2 and row[0].startswith(required.figure)]
        return ["-", found[0] if found else "not measured", "-", required.goal]
    variants = {row[1]: row for row in reversed(rows) if len(row) == 4 and row[0].startswith(required.stage)}
    own = variants.get(required.variant)
    other = variants.get(required.compared or "")
    if own is None or (required.compared is not None and other is None):
        return ["not measured", "not measured", "-", required.goal]
    milliseconds = float(own[2])
    shown = _speed(milliseconds, required)
    if other is None:
        return ["-", shown, "-", _judged(required, milliseconds, 0.0)]
    ratio = float(other[2]) / milliseconds
    compared = _speed(float(other[2]), required)
    if required.compared != "published formulation":
        compared = f"{required.compared} {compared}"
    return [
        compared,
        shown,
        f"{ratio:.1f}x" if ratio < 100 else f"{ratio:.0f}x",
        _judged(required, milliseconds, ratio),
    ]


def _speed(milliseconds: float, required: Required) -> str:
    if required.per_second:
        return f"{1000 / milliseconds:.0f} images/s"
    return f"{milliseconds:,.0f} ms" if milliseconds >= 100 else f"{milliseconds:.1f} ms"


def _judged(required: Required, milliseconds: float, ratio: float) -> str:
    """The goal, and whether it is reached."""
    if required.least_ratio is None and required.most_milliseconds is None:
        return required.goal
    reached = (required.least_ratio is None or ratio >= required.least_ratio) and (
        required.most_milliseconds is None or milliseconds <= required.most_milliseconds
    )
    return f"{required.goal}, reached" if reached else f"{required.goal}, **not reached**"


def report(outputs: dict[str, Output], load: float) -> str:
    """The whole file."""
    parts = [
        "# Benchmarks",
        HEAD,
        machine(load),
        "## Summary",
        summary(outputs),
    ]
    for script, output in outputs.items():
        title = f"## {script}.py" + (" FAILED" if output.failed else "")
        parts += [title, output.text.strip(), f"{output.seconds:.0f} s"]
    return "\n\n".join(parts) + "\n"


def machine(load: float) -> str:
    """What it was measured with."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        cpu = names[0] if names else cpu
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count()
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    today = datetime.date.today().isoformat()
    return (
        f"{today}, {cpu}, {cores} cores, load {load:.1f} at the start, {platform.system()}. "
        f"Python {platform.python_version()}, {versions}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scripts", nargs="*", metavar="NAME", choices=[[], *SCRIPTS])
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    outputs = {}
    for script in args.scripts or [name for name in SCRIPTS if (HERE / f"{name}.py").exists()]:
        print(f"{script} ...", file=sys.stderr, flush=True)
        outputs[script] = run(script, SCRIPTS[script].split() if args.quick else [])
    text = report(outputs, load)
    if args.scripts or args.quick:
        print(text)
    else:
        RESULTS.write_text(text)
    if any(output.failed for output in outputs.values()):
        raise SystemExit(f"failed: {', '.join(name for name, output in outputs.items() if output.failed)}")


if __name__ == "__main__":
    main()
