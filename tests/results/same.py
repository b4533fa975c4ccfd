"""Two results compared."""

import numpy as np

from yolact_pl.results.detections import Detections


def assert_same(a: Detections, b: Detections) -> None:
    """Equal to the last bit."""
    for name in ("boxes", "scores", "mask_scores", "labels", "masks"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
