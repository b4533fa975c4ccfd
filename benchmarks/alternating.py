"""Times of several variants of one thing, taken in turn so that all of them see the same machine."""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import NamedTuple

import torch

REST = 0.05
"""Seconds after which the threads of a process no longer wait for work by keeping a core busy."""


class Row(NamedTuple):
    """One line of a table: a variant that is compared with the first one of its stage."""

    stage: str
    variant: str
    milliseconds: float
    ratio: float
    """Of the first variant's time to this one's: how many times faster."""


def alternate(
    variants: dict[str, Callable[[], object]], *, repeats: int, warmup: int = 2, device: str = "cpu"
) -> dict[str, float]:
    """Median milliseconds of each variant; a round calls each once, `warmup` rounds do not count."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for repeat in range(warmup + repeats):
        for name, run in variants.items():
            _wait_for(device)
            start = time.perf_counter()
            run()
            _wait_for(device)
            if repeat >= warmup:
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def compare(
    stage: str,
    variants: dict[str, Callable[[], object]],
    *,
    repeats: int,
    warmup: int = 2,
    device: str = "cpu",
    per: int = 1,
) -> list[Row]:
    """`alternate` as rows; the first variant is what the others are compared with.

    Args:
        stage: what all variants do.
        variants: by name.
        repeats, warmup, device: see `alternate`.
        per: how many images a call handles; the times are of one.
    """
    medians = alternate(variants, repeats=repeats, warmup=warmup, device=device)
    first = next(iter(medians.values()))
    return [Row(stage, name, median / per, first / median) for name, median in medians.items()]


def compare_processes(
    stage: str,
    variants: dict[str, Callable[[], Callable[[], object]]],
    *,
    repeats: int,
    warmup: int = 2,
    starts: int = 2,
) -> list[Row]:
    """As `compare`, on the CPU and each variant in processes of its own, with their own memory.

    How memory is laid out is a matter of luck, and the luck of a process lasts: so there are several.

    Args:
        stage: see `compare`.
        variants: by name, what makes the call that is timed; it must be possible to pickle it.
        repeats, warmup: see `alternate`, in each process.
        starts: processes of each variant, one after the other.
    """
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(starts):
        with ExitStack() as processes:
            calls = {name: processes.enter_context(_timer(make)) for name, make in variants.items()}
            for repeat in range(warmup + repeats):
                for name, call in calls.items():
                    milliseconds = call()
                    if repeat >= warmup:
                        times[name].append(milliseconds)
                    time.sleep(REST)
    medians = {name: statistics.median(values) for name, values in times.items()}
    first = next(iter(medians.values()))
    return [Row(stage, name, median, first / median) for name, median in medians.items()]


@contextmanager
def _timer(make: Callable[[], Callable[[], object]]) -> Iterator[Callable[[], float]]:
    """A process that makes a call; to call it and say how many milliseconds that takes."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_time_when_asked, args=(make, there), daemon=True)
    process.start()
    there.close()  # so that the end of the process is noticed here

    def timed() -> float:
        here.send(None)
        return here.recv()

    try:
        yield timed
    finally:
        process.kill()
        process.join()


def _time_when_asked(make: Callable[[], Callable[[], object]], asked: Connection) -> None:
    run = make()
    while True:
        asked.recv()
        start = time.perf_counter()
        run()
        asked.send(1000 * (time.perf_counter() - start))


def print_rows(rows: Sequence[Row]) -> None:
    """A table in Markdown, which `run_all.py` reads."""
    print("| stage | variant | median ms | faster |")
    print("|---|---|---:|---:|")
    for row in rows:
        print(f"| {row.stage} | {row.variant} | {row.milliseconds:.4g} | {row.ratio:.2f}x |", flush=True)
    print()


def print_figures(figures: dict[str, str]) -> None:
    """A table in Markdown of what is no time of a variant, which `run_all.py` reads too."""
    print("| figure | value |")
    print("|---|---|")
    for name, value in figures.items():
        print(f"| {name} | {value} |", flush=True)
    print()


def _wait_for(device: str) -> None:
    if device != "cpu":
        getattr(torch, device.partition(":")[0]).synchronize()
