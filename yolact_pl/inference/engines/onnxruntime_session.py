"""ONNX files by ONNX Runtime."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.engines.session import (
    AUTO,
    INPUT,
    SessionMeter,
    read_metadata,
    unusable,
    usual_threads,
)
from yolact_pl.inference.exported.metadata import KEY, ExportError

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
ONLY_ERRORS = 3


class OnnxRuntimeSession:
    """An ONNX file, see `Session`.

    Args:
        path: of the file.
        device: "auto" (CUDA where the installed onnxruntime finds it, else the CPU), "cpu", "cuda" or
            "cuda:1".
        threads: on the CPU; None: see `usual_threads`.

    Raises:
        ExportError: onnxruntime is not installed, the file can't be used, or the device is missing.
    """

    name = "onnxruntime"

    def __init__(self, path: Path, *, device: str = AUTO, threads: int | None = None) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ExportError(f"{path} needs onnxruntime: pip install onnxruntime ({error})") from error
        version = onnxruntime.__version__
        threads = threads or usual_threads()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = ONLY_ERRORS
        if threads is not None:
            options.intra_op_num_threads = threads
        providers = _providers(device, onnxruntime.get_available_providers())
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # each of its errors is a type of its own, without a common one
            raise _later_opset(path, version, error) or unusable(path, (self.name, version), error) from error
        self.device = "cpu" if self.session.get_providers()[0] == CPU else _cuda_index(device)
        if self.device == "cpu" and device.startswith("cuda"):
            raise ExportError(
                f"device={device}: onnxruntime {version} finds no such device; give device=cpu or auto"
            )
        self.outputs = [output.name for output in self.session.get_outputs()]
        text = self.session.get_modelmeta().custom_metadata_map.get(KEY)
        self.metadata = read_metadata(text, str(path), {*self.outputs})
        self.meter = SessionMeter(self.device, threads, (self.name, version))

    def run(self, images: NDArray[np.uint8] | NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
        outputs: Any = self.session.run(self.outputs, {INPUT: images})
        return dict(zip(self.outputs, outputs, strict=True))


def _later_opset(path: Path, version: str, error: Exception) -> ExportError | None:
    opsets = re.search(r"Opset (\d+) is under development.* till opset (\d+)", str(error))
    if opsets is None:
        return None
    return ExportError(
        f"{path} has opset {opsets[1]}, onnxruntime {version} knows those up to {opsets[2]}: "
        "pip install --upgrade onnxruntime, or export the checkpoint again"
    )


def _providers(device: str, available: list[str]) -> list[Any]:
    """Of onnxruntime, by device; float32 stays float32 on CUDA."""
    kind = device.partition(":")[0]
    if kind not in (AUTO, "cpu", "cuda"):
        raise ExportError(f"device={device}: onnxruntime runs on auto, cpu, cuda or cuda:1")
    if kind == "cuda" and CUDA not in available:
        raise ExportError(
            f"device={device}: the installed onnxruntime has no CUDA; pip install onnxruntime-gpu in its "
            "place, or give device=cpu"
        )
    if kind == "cpu" or CUDA not in available:
        return [CPU]
    index = _cuda_index(device).partition(":")[2]
    return [(CUDA, {"device_id": index, "use_tf32": "0"}), CPU]


def _cuda_index(device: str) -> str:
    """The device with its number."""
    number = device.partition(":")[2] or "0"
    if not number.isdecimal():
        raise ExportError(f"device={device}: expected the number of a device, such as cuda:1")
    return f"cuda:{number}"
