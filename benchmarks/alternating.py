"""Times of several variants of one thing, taken in turn so that all of them see the same machine."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch


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
