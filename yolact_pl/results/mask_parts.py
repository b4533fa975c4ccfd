"""Prototypes and coefficients behind the masks of one image."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class MaskParts(NamedTuple):
    """Prototypes, and for each object of an image what combines them (YOLACT, section 3.3)."""

    prototypes: NDArray[np.float32]
    """[K, h, w], not negative."""
    coefficients: NDArray[np.float32]
    """[N, K] in -1..1, best object first."""
    boxes: NDArray[np.float32]
    """[N, 4] xyxy relative to the network's input, to which masks are cropped; may reach outside of it."""
    place: tuple[float, float, float, float]
    """xyxy of the image relative to the network's input, and so to the prototypes."""

    def rows(self, index: NDArray[np.int64]) -> "MaskParts":
        """The parts of these objects, in this order."""
        return self._replace(coefficients=self.coefficients[index], boxes=self.boxes[index])
