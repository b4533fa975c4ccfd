"""The graph in ONNX: traced once with all parts as outputs, of which each file keeps those of its layout."""

import logging
import warnings
from pathlib import Path
from typing import Any

import onnx_ir
import torch
from onnx_ir.passes.common import RemoveUnusedNodesPass

from yolact_pl.export.portable import COMPLETE, PortableModel, parts_of
from yolact_pl.inference.exported.metadata import KEY, OUTPUTS, ExportMetadata

OPSET = 18
INPUT = "images"


def trace_onnx(model: PortableModel, example: torch.Tensor, dynamic_shapes: Any) -> onnx_ir.Model:
    """The graph with `parts_of(COMPLETE)` as outputs.

    Args:
        model: in evaluation mode.
        example: an input.
        dynamic_shapes: see `torch.onnx.export`.
    """
    model.layout = COMPLETE
    for name in ("onnx_ir", "onnxscript", "torch.onnx"):  # which tell of each step
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter, about its own parts
        program = torch.onnx.export(
            model,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=dynamic_shapes,
            input_names=[INPUT],
            output_names=list(parts_of(COMPLETE)),
            verbose=False,
        )
    assert program is not None
    return program.model


def write_onnx(complete: onnx_ir.Model, layout: str, metadata: ExportMetadata, path: Path) -> None:
    """Write the part of a complete graph that a layout needs, with the metadata inside.

    Args:
        complete: with `parts_of(COMPLETE)` as outputs; stays as it is.
        layout: see `OUTPUTS`.
        metadata: of the file.
        path: of the file.
    """
    model = _with_outputs(complete, layout)
    model.metadata_props[KEY] = metadata.to_json()
    model.metadata_props["names"] = ", ".join(metadata.class_names)
    onnx_ir.save(model, path)


def save_onnx(complete: onnx_ir.Model, layout: str, path: Path) -> None:
    """The same without metadata, for other programs of this computer; the layout may be `COMPLETE`."""
    onnx_ir.save(_with_outputs(complete, layout), path)


def _with_outputs(complete: onnx_ir.Model, layout: str) -> onnx_ir.Model:
    model = complete.clone()
    graph = model.graph
    by_name = {value.name: value for value in graph.outputs}
    parts = parts_of(layout)
    graph.outputs[:] = [by_name[part] for part in parts]
    RemoveUnusedNodesPass()(model)
    for value, name in zip(graph.outputs, parts if layout == COMPLETE else OUTPUTS[layout], strict=True):
        value.name = name
    for node in graph:
        for part in (node, *node.outputs):
            part.metadata_props.clear()  # lines and paths of the source that was traced
            part.doc_string = None
    model.producer_name = "yolact-pl"
    return model
