"""An OpenVINO model: a graph and its weights."""

import tempfile
from pathlib import Path

from yolact_pl.cli.typed_command import typed_command
from yolact_pl.export.source import Source
from yolact_pl.inference.engines.openvino_session import OpenVinoSession
from yolact_pl.inference.engines.session import Session
from yolact_pl.inference.exported.metadata import KEY, OUTPUTS
from yolact_pl.inference.exported.model_file import ONNX, OPENVINO, OPENVINO_FILE


class OpenVinoFormat:
    """See `Format`. In float16 it is the ONNX graph too: OpenVINO's own compression would round anchors."""

    packages = ("onnx", "onnxscript", "openvino")
    precisions = ("float32", "float16")
    layouts = tuple(OUTPUTS)
    model = OPENVINO

    def write(self, source: Source, layout: str, folder: Path) -> None:
        import openvino

        from yolact_pl.export.onnx_graph import write_onnx

        metadata = source.metadata_of(layout)
        half = metadata.precision == "float16"
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            onnx = Path(temporary) / ONNX
            write_onnx(source.complete_onnx(half), layout, metadata, onnx)
            model = openvino.convert_model(onnx)
            model.set_rt_info(metadata.to_json(), KEY)
            openvino.save_model(model, folder / OPENVINO / OPENVINO_FILE, compress_to_fp16=False)

    def open(self, folder: Path) -> Session:
        return OpenVinoSession(folder / OPENVINO / OPENVINO_FILE, device="cpu")

    def usage(self, folder: Path) -> str:
        return typed_command({"task": "predict", "checkpoint": folder / OPENVINO, "source": "FOLDER"})
