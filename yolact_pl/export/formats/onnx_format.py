"""One ONNX file."""

from pathlib import Path

from yolact_pl.cli.typed_command import typed_command
from yolact_pl.export.source import Source
from yolact_pl.inference.engines.onnxruntime_session import OnnxRuntimeSession
from yolact_pl.inference.engines.session import Session
from yolact_pl.inference.exported.metadata import OUTPUTS
from yolact_pl.inference.exported.model_file import ONNX


class OnnxFormat:
    """See `Format`. In float16 what chooses and assembles stays in float32."""

    packages = ("onnx", "onnxscript", "onnxruntime")
    precisions = ("float32", "float16")
    layouts = tuple(OUTPUTS)
    model = ONNX

    def write(self, source: Source, layout: str, folder: Path) -> None:
        from yolact_pl.export.onnx_graph import write_onnx

        half = source.metadata.precision == "float16"
        write_onnx(source.complete_onnx(half), layout, source.metadata_of(layout), folder / ONNX)

    def open(self, folder: Path) -> Session:
        return OnnxRuntimeSession(folder / ONNX, device="cpu")

    def usage(self, folder: Path) -> str:
        return typed_command({"task": "predict", "checkpoint": folder / ONNX, "source": "FOLDER"})
