"""Clocks that wait for the device, and what a measurement should say of the machine."""

import importlib.metadata
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

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


class Stopwatch:
    """Time since the last look, with all that the device was given done.

    Args:
        device: CUDA and MPS work on while Python goes ahead; they are waited for.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.start()

    def start(self) -> None:
        """Begin to count."""
        self._wait()
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last `start` or `lap`."""
        self._wait()
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()


def reset_peak_memory(device: torch.device) -> None:
    """Begin to watch anew where that can be done: on CUDA."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> float | None:
    """MiB: on CUDA of all tensors since the last reset, else of the whole process since it began.

    Returns:
        None where the system does not tell.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024  # bytes there, KiB elsewhere


def describe_machine(device: torch.device) -> dict[str, str | int | None]:
    """What a time depends on, beside the program: hardware and versions."""
    return {
        "device": str(device),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "cpu": _cpu_name(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "opencv": cv2.__version__,
        "numpy": np.__version__,
        "yolact_pl": _own_version(),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _own_version() -> str | None:
    try:
        return importlib.metadata.version("yolact-pl")
    except importlib.metadata.PackageNotFoundError:  # run from a folder, not installed
        return None
