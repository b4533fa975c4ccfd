"""An OpenVINO model: a graph and its weights."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yolact_pl.cli.typed_command import typed_command
from yolact_pl.export.portable import COMPLETE, parts_of
from yolact_pl.export.source import Source
from yolact_pl.inference.engines.openvino_session import OpenVinoSession
from yolact_pl.inference.engines.session import Session
from yolact_pl.inference.exported.metadata import KEY, OUTPUTS
from yolact_pl.inference.exported.model_file import ONNX, OPENVINO, OPENVINO_FILE

if TYPE_CHECKING:
    import openvino


class OpenVinoFormat:
    """See `Format`. In float16 it is the ONNX graph too: OpenVINO's own compression would round anchors."""

    packages = ("onnx", "onnxscript", "openvino")
    int8_packages = ("nncf",)
    precisions = ("float32", "float16", "int8")
    layouts = tuple(OUTPUTS)
    model = OPENVINO

    def __init__(self) -> None:
        self.quantised: dict[frozenset[str], openvino.Model] = {}
        """By the layers in float; with all parts as outputs."""

    def write(self, source: Source, layout: str, folder: Path) -> None:
        import openvino

        metadata = source.metadata_of(layout)
        if metadata.precision == "int8":
            model = _with_outputs(self._in_8_bits(source), layout)
        else:
            model = _converted(source, layout)
        model.set_rt_info(metadata.to_json(), KEY)
        openvino.save_model(model, folder / OPENVINO / OPENVINO_FILE, compress_to_fp16=False)

    def open(self, folder: Path) -> Session:
        return OpenVinoSession(folder / OPENVINO / OPENVINO_FILE, device="cpu")

    def usage(self, folder: Path) -> str:
        return typed_command({"task": "predict", "checkpoint": folder / OPENVINO, "source": "FOLDER"})

    def _in_8_bits(self, source: Source) -> "openvino.Model":
        from yolact_pl.export.quantisation.openvino_quantiser import quantised

        plan = source.quantisation
        assert plan is not None
        if plan.float_layers not in self.quantised:
            complete = _converted(source, COMPLETE)
            self.quantised[plan.float_layers] = quantised(complete, plan.inputs, plan.float_layers)
        return self.quantised[plan.float_layers]


def _converted(source: Source, layout: str) -> "openvino.Model":
    """The ONNX graph with the outputs of a layout, or all with `COMPLETE`."""
    import openvino

    from yolact_pl.export.onnx_graph import save_onnx

    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / ONNX
        save_onnx(source.complete_onnx(source.metadata.precision == "float16"), layout, path)
        return openvino.Core().read_model(path)  # `convert_model` would send usage data to its makers


def _with_outputs(complete: "openvino.Model", layout: str) -> "openvino.Model":
    """A copy with the outputs of a layout."""
    import openvino

    model = complete.clone()
    results = {name: result for result in model.get_results() for name in result.input_value(0).get_names()}
    kept = [results[part] for part in parts_of(layout)]
    for result, name in zip(kept, OUTPUTS[layout], strict=True):
        result.output(0).set_names({name})

    make: Any = openvino.Model  # whose annotations bind no constructor
    return make(kept, model.get_parameters())
