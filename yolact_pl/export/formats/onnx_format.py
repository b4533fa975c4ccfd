"""One ONNX file."""

from pathlib import Path
from typing import TYPE_CHECKING

from yolact_pl.cli.typed_command import typed_command
from yolact_pl.export.source import Source
from yolact_pl.inference.engines.onnxruntime_session import OnnxRuntimeSession
from yolact_pl.inference.engines.session import Session
from yolact_pl.inference.exported.metadata import OUTPUTS
from yolact_pl.inference.exported.model_file import ONNX

if TYPE_CHECKING:
    import onnx_ir

    from yolact_pl.export.quantisation.onnx_quantiser import OnnxQuantiser


class OnnxFormat:
    """See `Format`. In float16 what chooses and assembles stays in float32."""

    packages = ("onnx", "onnxscript", "onnxruntime")
    int8_packages = ()
    precisions = ("float32", "float16", "int8")
    layouts = tuple(OUTPUTS)
    model = ONNX

    def __init__(self) -> None:
        self.quantiser: OnnxQuantiser | None = None
        self.quantised: dict[frozenset[str], onnx_ir.Model] = {}
        """By the layers in float."""

    def write(self, source: Source, layout: str, folder: Path) -> None:
        from yolact_pl.export.onnx_graph import write_onnx

        precision = source.metadata.precision
        complete = (
            self._in_8_bits(source) if precision == "int8" else source.complete_onnx(precision == "float16")
        )
        write_onnx(complete, layout, source.metadata_of(layout), folder / ONNX)

    def open(self, folder: Path) -> Session:
        return OnnxRuntimeSession(folder / ONNX, device="cpu")

    def usage(self, folder: Path) -> str:
        return typed_command({"task": "predict", "checkpoint": folder / ONNX, "source": "FOLDER"})

    def _in_8_bits(self, source: Source) -> "onnx_ir.Model":
        from yolact_pl.export.quantisation.onnx_quantiser import OnnxQuantiser

        plan = source.quantisation
        assert plan is not None
        if self.quantiser is None:
            self.quantiser = OnnxQuantiser(source.complete_onnx(), plan.inputs)
        if plan.float_layers not in self.quantised:
            self.quantised[plan.float_layers] = self.quantiser.quantised(plan.float_layers)
        return self.quantised[plan.float_layers]
