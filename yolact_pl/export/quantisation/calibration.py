"""The images on which the ranges of 8 bits are measured."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.images.image_file import read_image
from yolact_pl.images.placement import Resize
from yolact_pl.inference.engines.exported_engine import placed_inputs
from yolact_pl.inference.exported.metadata import ExportMetadata


def training_images(data: CocoDataModule, count: int) -> Iterator[NDArray[np.uint8]]:
    """At most so many training images, taken evenly from all of them; without a training set none."""
    if "train" not in data.sources.files:
        return
    known, folder = data.sources.annotations("train"), data.sources.folder("train")
    indices = data.sources.images("train")[: data.max_images]
    chosen = np.linspace(0, len(indices) - 1, min(count, len(indices))).round().astype(int)
    for index in indices[chosen]:
        yield read_image(folder / known.file_name(int(index)), value_range=data.value_range)


def calibration_inputs(
    images: Iterable[NDArray[np.uint8]], metadata: ExportMetadata
) -> Iterator[NDArray[Any]]:
    """Images as the file's input, in batches of one, placed on it as the predictor does."""
    resize = Resize(metadata.resize, metadata.image_size)
    for image in images:
        yield placed_inputs([image], [resize.place((image.shape[0], image.shape[1]))], metadata.input)
