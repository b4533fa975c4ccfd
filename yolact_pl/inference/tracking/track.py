"""One object over the frames of a video."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.tracking.grid_masks import GridMask

_FORGETTING = 0.97
"""Per frame: how slowly the size of an object that shrinks is believed."""


@dataclass
class Sighting:
    """A detection, as a track keeps it."""

    box: NDArray[np.float64]
    """xyxy in pixels of the image."""
    score: float
    sure: bool
    """Whether the score is enough to start a track."""
    mask_score: float
    label: int
    mask: GridMask | None
    """None if masks are not kept at the prototypes' resolution."""
    coefficients: NDArray[np.float32] | None
    """[K], where the engine gives them."""


@dataclass
class Track:
    """What is known of one object."""

    last: Sighting
    number: int | None = None
    """From 1, once it was seen a second time; those of the first frame have it at once."""
    missed: int = 0
    """Frames since it was last seen."""
    votes: dict[int, float] = field(default_factory=dict)
    """Sum of the scores of each label."""
    size: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    """Width and height when it was last seen whole, in pixels of the image."""

    def __post_init__(self) -> None:
        self.see(self.last)

    @property
    def label(self) -> int:
        """The one with the most votes."""
        return max(self.votes, key=lambda label: self.votes[label])

    def see(self, sighting: Sighting) -> None:
        """Take it as this object's detection in the present frame."""
        self.last, self.missed = sighting, 0
        self.votes[sighting.label] = self.votes.get(sighting.label, 0.0) + sighting.score
        self.size = np.maximum(_FORGETTING * self.size, sighting.box[2:] - sighting.box[:2])
