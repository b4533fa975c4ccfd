"""Memory of what was computed from anchors."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
MAX_KNOWN = 16
"""Anchors that are remembered: those of so many image sizes."""


class KnownAnchors(Generic[T]):
    """Computes something from anchors once, since a network gives the same tensor for the same image size.

    Args:
        compute: from anchors [A, 4] on any device; those of a GPU may be waited for.
    """

    def __init__(self, compute: Callable[[Tensor], T]) -> None:
        self._compute = compute
        self._known: deque[tuple[Tensor, T]] = deque(maxlen=MAX_KNOWN)

    @torch.no_grad()
    def __call__(self, anchors: Tensor) -> T:
        """What was computed from this very tensor, now or before."""
        for known, value in self._known:
            if known is anchors:
                return value
        return self.remember(anchors, self._compute(anchors))

    def remember(self, anchors: Tensor, value: T) -> T:
        """Take a value as computed from anchors."""
        self._known.append((anchors, value))
        return value
