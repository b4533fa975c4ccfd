"""Image files read in threads, ahead of the network."""

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yolact_pl.images.depth import ValueRange
from yolact_pl.images.image_file import ImageError, read_image
from yolact_pl.inference.parallel import map_ahead

_log = logging.getLogger(__name__)
READERS = 2
USUAL_PIXELS = 16_000_000
"""Larger images count for several in batches and queues, so that memory stays bounded."""


def readable_images(
    files: Sequence[Path], skipped: list[Path], value_range: ValueRange | None = None
) -> Iterator[tuple[Path, NDArray[np.uint8]]]:
    """Files with their pixels, in order; one that can't be read is logged and added to `skipped`.

    Args:
        files: to read.
        skipped: gets those that can't be read.
        value_range: of files with more than 8 bits, see `read_image`.
    """
    read = map_ahead(partial(_read, value_range=value_range), files, threads=READERS, ahead=2 * READERS)
    for file, image in zip(files, read, strict=True):
        if isinstance(image, ImageError):
            _log.warning("left out: %s", image)
            skipped.append(file)
        else:
            yield file, image


def weight(image: NDArray[np.uint8]) -> int:
    """For how many images of usual size it counts."""
    return 1 + image.shape[0] * image.shape[1] // USUAL_PIXELS


def _read(file: Path, value_range: ValueRange | None) -> NDArray[np.uint8] | ImageError:
    try:
        return read_image(file, value_range=value_range)
    except ImageError as error:
        return error
