"""The interface between exported models and the runtimes that compute them."""

import os
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.exported.metadata import KEY, ExportError, ExportMetadata
from yolact_pl.inference.measuring.timing import Meter

AUTO = "auto"
INPUT = "images"
LONGEST_REASON = 200


class Session(Protocol):
    """An exported model file, opened; any number of threads may call it."""

    @property
    def name(self) -> str:
        """Of the runtime, such as "onnxruntime"."""
        ...

    @property
    def device(self) -> str:
        """Where it runs, such as "cpu"."""
        ...

    @property
    def metadata(self) -> ExportMetadata: ...

    @property
    def meter(self) -> Meter: ...

    def run(self, images: NDArray[np.uint8] | NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
        """Images [N, H, W, 3] to the graph's outputs by name, see `ExportMetadata`."""
        ...


class SessionMeter(Meter):
    """Time and memory of a runtime that returns when its device has finished.

    Args:
        device: where it runs.
        threads: on the CPU; None: as many as there are cores.
        runtime: name and version.
    """

    def __init__(self, device: str, threads: int | None, runtime: tuple[str, str]) -> None:
        self.device = device
        self.threads = threads
        self.runtime = runtime

    def describe(self) -> dict[str, str | int | None]:
        name, version = self.runtime
        told = super().describe()
        gpu = None if self.device == "cpu" else self.device
        return {
            **told,
            "device": self.device,
            "gpu": gpu,
            "threads": self.threads or told["threads"],
            name: version,
        }


def usual_threads() -> int | None:
    """As `OMP_NUM_THREADS` says, which torch follows too; None: as the runtime chooses."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return int(threads) if threads.isdecimal() and int(threads) > 0 else None


def read_metadata(text: str | None, origin: str, outputs: set[str]) -> ExportMetadata:
    """The metadata inside a file, compared with its graph.

    Args:
        text: what the file has under `KEY`; None: nothing.
        origin: the file, for messages.
        outputs: names of the graph's outputs.

    Raises:
        ExportError: it is of another origin, or one of them doesn't fit the other.
    """
    if text is None:
        raise ExportError(
            f"{origin} was not exported by this project: it has no {KEY!r} metadata, so its input and "
            "outputs are unknown; export the checkpoint with task=export"
        )
    metadata = ExportMetadata.from_json(text, origin)
    missing = [name for name in metadata.outputs if name not in outputs]
    if missing:
        raise ExportError(f"{origin} lacks the outputs {', '.join(missing)}: it was changed after its export")
    return metadata


def unusable(path: Path, runtime: tuple[str, str], error: Exception) -> ExportError:
    """What a runtime says of a file that it can't open, as one sentence.

    Args:
        path: of the file.
        runtime: name and version.
        error: of the runtime: places in its source, then the reason.
    """
    reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].rpartition("failed:")[2]
    name, version = runtime
    return ExportError(
        f"{path} can't be opened by {name} {version}: it is damaged, or made for a later version "
        f"({reason.strip(' .!')[:LONGEST_REASON]})"
    )
