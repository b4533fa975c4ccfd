"""Model repositories of inference servers: a folder per model, in it one per version."""

import json
from pathlib import Path

from yolact_pl.export.formats.onnx_format import OnnxFormat
from yolact_pl.export.formats.openvino_format import OpenVinoFormat
from yolact_pl.export.source import Source
from yolact_pl.inference.engines.onnxruntime_session import OnnxRuntimeSession
from yolact_pl.inference.engines.openvino_session import OpenVinoSession
from yolact_pl.inference.engines.session import INPUT, Session
from yolact_pl.inference.exported.metadata import ExportMetadata
from yolact_pl.inference.exported.model_file import ONNX, OPENVINO, OPENVINO_FILE

REPOSITORY = "model_repository"
MODEL = "yolact"
VERSION = "1"
MAX_BATCH_SIZE = 8
TRITON_TYPES = {"uint8": "TYPE_UINT8", "float32": "TYPE_FP32", "int64": "TYPE_INT64"}
BATCHED = ("detections", "coefficients")
"""Layouts whose outputs all have a row per image; anchors have none."""


class TritonFormat(OnnxFormat):
    """See `Format`. For Triton Inference Server, whose ONNX Runtime backend computes the file."""

    layouts = BATCHED
    model = REPOSITORY

    def write(self, source: Source, layout: str, folder: Path) -> None:
        version = _version_folder(folder)
        super().write(source, layout, version)
        if layout in self.layouts:
            config = triton_config(source.metadata_of(layout))
            (version.parent / "config.pbtxt").write_text(config, encoding="utf-8")

    def open(self, folder: Path) -> Session:
        return OnnxRuntimeSession(_version_folder(folder) / ONNX, device="cpu")

    def usage(self, folder: Path) -> str:
        return f"tritonserver --model-repository={(folder / REPOSITORY).resolve()}"


class OpenVinoModelServerFormat(OpenVinoFormat):
    """See `Format`. For OpenVINO Model Server, which takes batches of any size."""

    layouts = BATCHED
    model = REPOSITORY

    def write(self, source: Source, layout: str, folder: Path) -> None:
        version = _version_folder(folder)
        super().write(source, layout, version)
        for path in [*(version / OPENVINO).iterdir()]:
            path.replace(version / path.name)
        (version / OPENVINO).rmdir()
        config = {"model_config_list": [{"config": {"name": MODEL, "base_path": f"./{MODEL}"}}]}
        (folder / REPOSITORY / "config.json").write_text(
            json.dumps(config, indent=2) + "\n", encoding="utf-8"
        )

    def open(self, folder: Path) -> Session:
        return OpenVinoSession(_version_folder(folder) / OPENVINO_FILE, device="cpu")

    def usage(self, folder: Path) -> str:
        config = (folder / REPOSITORY / "config.json").resolve()
        return f"ovms --config_path {config} --port 9000 --rest_port 8000"


def triton_config(metadata: ExportMetadata) -> str:
    """Triton's `config.pbtxt`; dimensions are without the batch."""
    height, width = (-1, -1) if metadata.dynamic_size else metadata.image_size
    h, w = (-1, -1) if metadata.dynamic_size else metadata.prototype_size
    rows, num_prototypes = metadata.max_detections, metadata.num_prototypes
    of_outputs: dict[str, tuple[str, tuple[int, ...]]] = {
        "boxes": ("float32", (rows, 4)),
        "scores": ("float32", (rows,)),
        "mask_scores": ("float32", (rows,)),
        "labels": ("int64", (rows,)),
        "masks": ("float32", (rows, h, w)),
        "coefficients": ("float32", (rows, num_prototypes)),
        "prototypes": ("float32", (num_prototypes, h, w)),
    }
    inputs = _tensor(INPUT, metadata.input, (height, width, 3))
    outputs = ",\n".join(_tensor(name, *of_outputs[name]) for name in metadata.outputs)
    return (
        f'name: "{MODEL}"\nbackend: "onnxruntime"\nmax_batch_size: {MAX_BATCH_SIZE}\n'
        f"input [\n{inputs}\n]\noutput [\n{outputs}\n]\ndynamic_batching {{ }}\n"
    )


def _tensor(name: str, dtype: str, dims: tuple[int, ...]) -> str:
    return f'  {{ name: "{name}" data_type: {TRITON_TYPES[dtype]} dims: [ {", ".join(map(str, dims))} ] }}'


def _version_folder(folder: Path) -> Path:
    version = folder / REPOSITORY / MODEL / VERSION
    version.mkdir(parents=True, exist_ok=True)
    return version
