"""OpenVINO models by OpenVINO."""

import threading
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

FLOAT32 = "f32"


class OpenVinoSession:
    """An OpenVINO model, see `Session`.

    Args:
        path: of its `.xml` file, beside which the `.bin` file lies.
        device: "auto" (the CPU), "cpu", or another device of OpenVINO, such as "gpu" or "npu".
        threads: on the CPU; None: see `usual_threads`.

    Raises:
        ExportError: openvino is not installed, the model can't be used, or the device is missing.
    """

    name = "openvino"

    def __init__(self, path: Path, *, device: str = AUTO, threads: int | None = None) -> None:
        try:
            import openvino
        except ImportError as error:
            raise ExportError(f"{path} needs openvino: pip install openvino ({error})") from error
        core = openvino.Core()
        self.device = "cpu" if device == AUTO else device.lower()
        available = [name.lower() for name in core.available_devices]
        if self.device.partition(".")[0] not in {name.partition(".")[0] for name in available}:
            raise ExportError(
                f"device={device}: OpenVINO finds {', '.join(available)} here; give one of them, or auto"
            )
        version = openvino.get_version().partition("-")[0]
        try:
            model = core.read_model(path)
        except RuntimeError as error:
            raise unusable(path, (self.name, version), error) from error
        text = str(model.get_rt_info(KEY).value) if model.has_rt_info(KEY) else None
        self.outputs = [output.get_any_name() for output in model.outputs]
        self.metadata = read_metadata(text, str(path), {*self.outputs})
        threads = threads or usual_threads()
        try:
            self.compiled = core.compile_model(model, self.device.upper(), self._settings(threads))
        except RuntimeError as error:
            raise unusable(path, (self.name, version), error) from error
        self.meter = SessionMeter(self.device, threads, (self.name, version))
        self.requests = threading.local()  # one of each thread: a request holds the tensors of its call

    def run(self, images: NDArray[np.uint8] | NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
        if not hasattr(self.requests, "own"):
            self.requests.own = self.compiled.create_infer_request()
        results = self.requests.own.infer({INPUT: images}, share_inputs=True)
        return {name: results[name] for name in self.outputs}

    def _settings(self, threads: int | None) -> dict[str, Any]:
        """What a file has in float32 is computed so also where the processor has bfloat16."""
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if self.metadata.precision != "float16":
            settings["INFERENCE_PRECISION_HINT"] = FLOAT32
        if threads is not None and self.device == "cpu":
            settings["INFERENCE_NUM_THREADS"] = threads
        return settings
