"""An exported file computed beside torch on the same inputs."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from yolact_pl.export.formats.format import Format
from yolact_pl.export.source import Source
from yolact_pl.export.verification.comparison import (
    TOLERANCES,
    Difference,
    Rows,
    detection_differences,
    raw_difference,
)
from yolact_pl.export.verification.report import Report, Sample
from yolact_pl.images.placement import Resize
from yolact_pl.inference.engines.torch_engine import TorchEngine
from yolact_pl.inference.exported.metadata import OUTPUTS
from yolact_pl.structures import Predictions

BATCH_SIZES = (1, 2)
PICTURES = 2

Image = NDArray[np.uint8]
Arrays = dict[str, NDArray[Any]]
Run = Callable[[NDArray[Any]], Arrays]


def check_export(
    source: Source, written_by: Format, folder: Path, images: Sequence[Image], origin: str
) -> Report:
    """Compare what was written to a folder with torch, at batch sizes 1 and 2.

    First the raw outputs, for which the same graph is written once more with `layout=raw`, then detections.

    Args:
        source: what was exported.
        written_by: the format.
        folder: with the model.
        images: uint8 [H, W, 3] RGB, at least one.
        origin: of the images, for the report.
    """
    reference = _Reference(source)
    run: Run = written_by.open(folder).run
    layout = source.metadata.layout
    differences: dict[int, list[Difference]] = {}
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory() as raw_folder:
        if layout == "raw":
            run_raw = run
        else:
            written_by.write(source, "raw", Path(raw_folder))
            run_raw = written_by.open(Path(raw_folder)).run
        for size in BATCH_SIZES:
            inputs = [reference.prepare(batch) for batch in _batches(_share(images, size), size)]
            expected = [reference.forward(pixels) for pixels in inputs]
            rows = _raw_differences([run_raw(pixels) for pixels in inputs], expected, reference)
            if layout != "raw":
                pairs = [
                    (reference.rows(predictions, index), found)
                    for pixels, predictions in zip(inputs, expected, strict=True)
                    for index, found in enumerate(_rows(run(pixels)))
                ]
                rows += reference.compare(pairs, (inputs[0].shape[1], inputs[0].shape[2]))
                if size == 1:
                    samples = [
                        Sample(pixels[0].astype(np.uint8), *pair)
                        for pixels, pair in zip(inputs[:PICTURES], pairs[:PICTURES], strict=True)
                    ]
            differences[size] = rows
    return Report(source.metadata, len(images), origin, differences, samples)


class _Reference:
    """The torch predictor's own engine, on the file's inputs."""

    def __init__(self, source: Source) -> None:
        self.metadata = source.metadata
        self.engine = TorchEngine(source.network, source.postprocess, device="cpu")
        self.resize = Resize(self.metadata.resize, self.metadata.image_size)
        self.tolerance = TOLERANCES[self.metadata.precision]

    def prepare(self, images: Sequence[Image]) -> NDArray[Any]:
        """[N, H, W, 3] of the type of the file's input."""
        placements = [self.resize.place((image.shape[0], image.shape[1])) for image in images]
        pixels = self.engine.prepare(images, placements).permute(0, 2, 3, 1).numpy()
        return np.ascontiguousarray(np.rint(pixels) if self.metadata.input == "uint8" else pixels).astype(
            self.metadata.input
        )

    def forward(self, pixels: NDArray[Any]) -> Predictions:
        inputs = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
        return self.engine.forward([inputs])

    def rows(self, predictions: Predictions, index: int) -> Rows:
        """Of one image of the batch."""
        chosen = self.engine.choose(predictions, index, None, self.engine.usual)
        finished = self.engine.finish(predictions, index, chosen)
        limit = self.metadata.max_detections  # which cross-class NMS does not have in torch
        rows = Rows(*(part.numpy()[:limit] for part in finished[:5]))
        return rows.at(np.flatnonzero(rows.scores > 0).tolist())

    def compare(self, pairs: Sequence[tuple[Rows, Rows]], input_size: tuple[int, int]) -> list[Difference]:
        return detection_differences(
            pairs,
            tolerance=self.tolerance,
            input_size=input_size,
            max_detections=self.metadata.max_detections,
            score_threshold=self.metadata.score_threshold,
            complete=self.metadata.nms != "exact",
        )


def _share(images: Sequence[Image], size: int) -> Sequence[Image]:
    """The first half one by one, the others, at least two if there are, in pairs: computing takes a while."""
    half = max(1, len(images) // 2)
    return images[:half] if size == 1 else images[max(0, min(half, len(images) - 2)) :]


def _batches(images: Sequence[Image], size: int) -> Iterator[Sequence[Image]]:
    """So many images at a time; the last ones are repeated to fill a batch."""
    padded = [*images, *[images[-1]] * (-len(images) % size)]
    return (padded[start : start + size] for start in range(0, len(padded), size))


def _raw_differences(
    found: Sequence[Arrays], expected: Sequence[Predictions], reference: _Reference
) -> list[Difference]:
    """The largest of all batches, by output."""
    rows = []
    for output in OUTPUTS["raw"]:
        each = [
            raw_difference(output, getattr(one, output).numpy(), other[output], reference.tolerance.raw)
            for one, other in zip(expected, found, strict=True)
        ]
        rows.append(max(each, key=lambda difference: difference.value))
    return rows


def _rows(outputs: Arrays) -> Iterator[Rows]:
    """The detections of each image of a batch, without padding."""
    for index, scores in enumerate(outputs["scores"]):
        found = np.flatnonzero(scores > 0)
        if "masks" in outputs:
            logits = outputs["masks"][index, found]
        else:
            prototypes = outputs["prototypes"][index]
            coefficients = outputs["coefficients"][index, found]
            logits = np.tensordot(coefficients, prototypes, axes=1)
        boxes, mask_scores, labels = (
            outputs[name][index, found] for name in ("boxes", "mask_scores", "labels")
        )
        masks = np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits), np.float32)  # the sigmoid, without overflow
        yield Rows(boxes, scores[found], mask_scores, labels, masks)
