"""Value range of the images of a set that have more than 8 bits."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from yolact_pl.images.depth import ValueRange
from yolact_pl.images.image_file import ImageError, read_values

logger = logging.getLogger(__name__)

SAMPLE = 64
"""So many files, evenly spread, speak for all."""


def measure_value_range(folder: Path, names: Sequence[str]) -> ValueRange | None:
    """The range that fits the values of all files looked at; None if none has more than 8 bits.

    Logs one warning if the range is less than 16 bits, which such files could hold.
    """
    extremes = []
    for name in names[:: -(-len(names) // SAMPLE) or 1]:
        with suppress(ImageError):  # told when it is trained on
            values = read_values(folder / name)
            if values is not None:
                known = values[np.isfinite(values)]
                extremes += [known.min(), known.max()] if known.size else []
    if not extremes:
        return None
    measured = ValueRange.of(np.array(extremes))
    if measured != (0, 65535):
        logger.warning(
            "%s: images with more than 8 bits hold values from %g to %g; %g becomes black and %g white",
            folder,
            min(extremes),
            max(extremes),
            *measured,
        )
    return measured
