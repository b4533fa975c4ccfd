"""What is exported: a trained network, what its files say, and the graphs made of it."""

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from yolact_pl.decoders.anchor_decoder import AnchorDecoder
from yolact_pl.export.portable import PortableModel
from yolact_pl.export.quantisation.plan import Quantisation
from yolact_pl.images.placement import STEP
from yolact_pl.inference.exported.metadata import ExportError, ExportMetadata
from yolact_pl.models.network import YolactNetwork
from yolact_pl.postprocess import Postprocess

if TYPE_CHECKING:
    import onnx_ir

PACKAGES = ("yolact-pl", "torch", "onnx", "onnxruntime", "openvino", "nncf")


class Source:
    """A trained network to be written in some format.

    Args:
        network: trained, in float32, in evaluation mode, on the CPU.
        postprocess: whose thresholds and NMS become part of the graph.
        metadata: what the files say of themselves.
    """

    def __init__(self, network: YolactNetwork, postprocess: Postprocess, metadata: ExportMetadata) -> None:
        self.network = network
        self.postprocess = postprocess
        self.metadata = metadata
        self.quantisation: Quantisation | None = None
        """Of `precision="int8"`."""
        self.complete_onnx = cache(self._complete_onnx)
        """`complete_onnx(half)`: the ONNX graph with all parts as outputs, made once."""

    def portable(self, *, half: bool = False) -> PortableModel:
        """A new torch module of the graph.

        Args:
            half: the network computes in float16.
        """
        return PortableModel(
            self.network,
            self.postprocess,
            image_size=self.metadata.image_size,
            dynamic_size=self.metadata.dynamic_size,
            half=half,
        ).eval()

    def example(self) -> torch.Tensor:
        """Two black images, for tracing."""
        height, width = self.metadata.image_size
        if self.metadata.dynamic_size:
            height, width = (-(-side // STEP) * STEP for side in (height, width))
        return torch.zeros(2, height, width, 3, dtype=getattr(torch, self.metadata.input))

    def dynamic_shapes(self) -> tuple[dict[int, object]]:
        """For `torch.export`: which sides of the input vary."""
        shapes: dict[int, object] = {0: torch.export.Dim("N", min=1)}
        if self.metadata.dynamic_size:
            shapes |= {
                1: STEP * torch.export.Dim("rows", min=2),
                2: STEP * torch.export.Dim("columns", min=2),
            }
        return (shapes,)

    def metadata_of(self, layout: str) -> ExportMetadata:
        """What a file with other outputs says."""
        return replace(self.metadata, layout=layout)

    def keep_in_float(self, layers: Iterable[str]) -> None:
        """Change what files written from now on have in float, see `Quantisation`."""
        assert self.quantisation is not None
        self.quantisation = replace(self.quantisation, float_layers=frozenset(layers))

    def with_metadata(self, **changes: object) -> None:
        """Change what files written from now on say."""
        self.metadata = replace(self.metadata, **changes)

    def _complete_onnx(self, half: bool = False) -> "onnx_ir.Model":
        from yolact_pl.export.onnx_graph import trace_onnx

        return trace_onnx(self.portable(half=half), self.example(), self.dynamic_shapes())


def describe(
    network: YolactNetwork,
    postprocess: Postprocess,
    *,
    layout: str,
    input: str,
    image_size: tuple[int, int],
    dynamic_size: bool,
    resize: str,
    image_value_range: tuple[float, float] | None,
    class_names: tuple[str, ...],
    category_ids: tuple[int, ...],
    class_thresholds: tuple[float, ...] | None,
    precision: str,
    checkpoint: Path,
    licence: str | None,
) -> ExportMetadata:
    """The metadata of a network and its postprocess; arguments as in `ExportMetadata`.

    Args:
        checkpoint: the file of the weights.
    """
    with torch.inference_mode():
        predictions = network(torch.zeros(1, 3, *image_size))
    num_prototypes, height, width = predictions.prototypes.shape[1:]
    candidates = min(postprocess.max_candidates, predictions.anchors.shape[0])
    num_rows = candidates * (len(class_names) if postprocess.nms == "fast" else 1)
    return ExportMetadata(
        layout=layout,
        input=input,
        image_size=image_size,
        dynamic_size=dynamic_size,
        resize=resize,
        image_value_range=image_value_range,
        class_names=class_names,
        category_ids=category_ids,
        decoder="anchor" if isinstance(postprocess.decoder, AnchorDecoder) else "point",
        nms=postprocess.nms,
        iou_threshold=postprocess.iou_threshold,
        score_threshold=postprocess.score_threshold,
        class_thresholds=class_thresholds,
        max_candidates=postprocess.max_candidates,
        max_detections=min(postprocess.max_detections, num_rows),
        whole_pixel_boxes=postprocess.whole_pixel_boxes,
        mask_confidence=postprocess.mask_confidence,
        refine_boxes=postprocess.refine_boxes,
        num_prototypes=num_prototypes,
        prototype_size=(height, width),
        precision=precision,
        checkpoint={"name": checkpoint.name, "sha256": _sha256(checkpoint)},
        versions=_versions(),
        licence=licence,
    )


def check_installed(purpose: str, *packages: str) -> None:
    """Raises:
    ExportError: a package is missing; names the extra that has it.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ExportError(f"{purpose} needs {' and '.join(missing)}: pip install yolact-pl[export]")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
