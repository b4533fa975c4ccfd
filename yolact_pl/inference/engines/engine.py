"""The interface between a predictor and the runtime that computes."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from yolact_pl.images.placement import Placement
from yolact_pl.inference.measuring.timing import Meter
from yolact_pl.inference.options import Request
from yolact_pl.results.detections import Detections


class Engine(Protocol):
    """A trained network on some runtime: network inputs in, detections out.

    The three steps `prepare`, `forward` and `detect` may run in different threads; what they hand to each
    other is private to the engine. No call changes the engine.
    """

    @property
    def name(self) -> str:
        """Of the runtime, such as "torch"."""
        ...

    @property
    def precision(self) -> str:
        """Of the network, such as "float32"."""
        ...

    @property
    def device(self) -> str:
        """Where it runs, such as "cpu"."""
        ...

    @property
    def num_classes(self) -> int: ...

    @property
    def score_threshold(self) -> float:
        """Minimum score of an anchor's best class if no `min_score` is given."""
        ...

    @property
    def usual(self) -> Request:
        """The request that it was built for."""
        ...

    @property
    def meter(self) -> Meter:
        """Time and memory of the device."""
        ...

    def check(self, request: Request) -> None:
        """Raise ValueError, with what is possible, for a request that the engine cannot serve."""
        ...

    def prepare(self, images: Sequence[NDArray[np.uint8]], placements: Sequence[Placement]) -> Any:
        """Images uint8 [H, W, 3] RGB as the network's input, placed and resized."""
        ...

    def forward(self, inputs: Sequence[Any]) -> Any:
        """The network's outputs for the results of `prepare`, all in one batch."""
        ...

    def detect(
        self, outputs: Any, index: int, size: tuple[int, int], placement: Placement | None, request: Request
    ) -> Detections:
        """Detections of one image of the batch, best first, in its pixels.

        Args:
            outputs: of `forward`.
            index: of the image in the batch.
            size: (height, width) of the image.
            placement: of the image on the input; None: stretched all over it.
            request: options; masks are made only of what they ask for, where possible.
        """
        ...
