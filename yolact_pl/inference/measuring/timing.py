"""Synchronised clocks, peak memory, and a description of the machine."""

import os
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

MIB = 1 << 20


class Spread(NamedTuple):
    """Of several measurements, in milliseconds."""

    median: float
    p90: float
    """The 90th percentile: nine of ten took no longer."""

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread":
        """Of at least one measurement; percentiles between two of them are interpolated."""
        median, p90 = np.percentile(np.array(seconds) * 1000, [50, 90]).tolist()
        return cls(median, p90)


class Meter:
    """Synchronisation, memory and description of the device that computes; this one is the CPU."""

    out_of_memory: tuple[type[Exception], ...] = (MemoryError,)
    """Raised where the device's memory is not enough."""

    def wait(self) -> None:
        """Wait until the device has done all its work."""

    def reset_peak_memory(self) -> None:
        """Restart the count, where that is possible."""

    def peak_memory(self) -> float | None:
        """MiB of the whole process since it began; None where the system does not tell."""
        try:
            import resource
        except ImportError:  # Windows
            return None
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / MIB if sys.platform == "darwin" else peak / 1024  # bytes there, KiB elsewhere

    def describe(self) -> dict[str, str | int | None]:
        """Hardware and versions that a time depends on."""
        return {
            "device": "cpu",
            "gpu": None,
            "cpu": _cpu_name(),
            "threads": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "opencv": cv2.__version__,
            "numpy": np.__version__,
            "yolact_pl": _own_version(),
        }


class Stopwatch:
    """Time since the last look, with all work of the device done.

    Args:
        meter: of the device.
    """

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.start()

    def start(self) -> None:
        """Start."""
        self.meter.wait()
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last `start` or `lap`."""
        self.meter.wait()
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _own_version() -> str | None:
    import importlib.metadata  # takes its time, and only a report needs it

    for name in ("yolact-pl", "yolact-pl-runtime"):
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return None  # run from a folder, not installed
