"""A program of `torch.export`."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from yolact_pl.export.source import Source
from yolact_pl.inference.engines.session import Session
from yolact_pl.inference.engines.torch_engine import TorchMeter
from yolact_pl.inference.exported.metadata import KEY, OUTPUTS, ExportMetadata

PROGRAM = "model.pt2"


class TorchExportFormat:
    """See `Format`. The program returns a dictionary of the outputs."""

    packages = ()
    int8_packages = ()
    precisions = ("float32", "float16")
    layouts = tuple(OUTPUTS)
    model = PROGRAM

    def __init__(self) -> None:
        self.programs: dict[str, Any] = {}
        """By layout."""

    def write(self, source: Source, layout: str, folder: Path) -> None:
        if layout not in self.programs:
            model = source.portable(half=source.metadata.precision == "float16")
            model.layout = layout
            with torch.no_grad():
                self.programs[layout] = torch.export.export(
                    model, (source.example(),), dynamic_shapes=source.dynamic_shapes()
                )
        extra_files: dict[str, Any] = {KEY: source.metadata_of(layout).to_json()}
        torch.export.save(self.programs[layout], folder / PROGRAM, extra_files=extra_files)

    def open(self, folder: Path) -> Session:
        return ProgramSession(folder / PROGRAM)

    def usage(self, folder: Path) -> str:
        return f"torch.export.load({str(folder / PROGRAM)!r}).module()(images)"


class ProgramSession:
    """A program of `TorchExportFormat`, see `Session`."""

    name = "torch_export"
    device = "cpu"

    def __init__(self, path: Path) -> None:
        extra_files: dict[str, Any] = {KEY: ""}
        self.module = torch.export.load(path, extra_files=extra_files).module()
        self.metadata = ExportMetadata.from_json(extra_files[KEY], str(path))
        self.meter = TorchMeter(torch.device("cpu"))

    @torch.inference_mode()
    def run(self, images: NDArray[np.uint8] | NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
        outputs = self.module(torch.from_numpy(images))
        return {name: output.numpy() for name, output in outputs.items()}
