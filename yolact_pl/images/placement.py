"""Placement of images of any size on the network's input."""

from dataclasses import dataclass, replace
from typing import NamedTuple

STRETCH, LETTERBOX, SHORTEST_EDGE = MODES = ("stretch", "letterbox", "shortest_edge")
LONGEST = (5, 3)
"""The longest side against the shortest, if only one size is given: Mask R-CNN's 1333 for 800."""
STEP = 32
"""Inputs of varying size have sides that this divides: as P5, so that all maps of a batch fit each other."""


class Placement(NamedTuple):
    """Rectangle of the network's input that an image is stretched over, padding around."""

    canvas: tuple[int, int]
    """(height, width) of the input."""
    top: int
    left: int
    height: int
    width: int
    """Of the rectangle, in pixels of the input."""

    @classmethod
    def whole(cls, canvas: tuple[int, int]) -> "Placement":
        """The whole of an input of (height, width)."""
        return cls(canvas, 0, 0, *canvas)

    def transposed(self) -> "Placement":
        """The same with rows and columns exchanged."""
        height, width = self.canvas
        return Placement((width, height), self.left, self.top, self.width, self.height)

    def on(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Top, left, height and width of the rectangle in pixels of a map (height, width) of the input."""
        # The product comes first: what fills the input must fill the map exactly.
        top, height = (length * size[0] / self.canvas[0] for length in (self.top, self.height))
        left, width = (length * size[1] / self.canvas[1] for length in (self.left, self.width))
        return top, left, height, width


@dataclass(frozen=True)
class Resize:
    """How images are placed on the network's input.

    Args:
        mode: "stretch": the whole input, the aspect ratio is lost, as published. "letterbox": as large as
            fits, aspect ratio kept, centred. "shortest_edge": aspect ratio kept, the input as large as
            needed; its sides are multiples of 32, padded at the right and the bottom.
        size: (height, width) of the input. For "shortest_edge" the smaller number is the picture's shorter
            side, and the larger one is what its longer side does not exceed; of two equal ones 5/3 of it.

    Raises:
        ValueError: there is no such mode.
    """

    mode: str
    size: tuple[int, int]

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"resize={self.mode!r} is not known; choose one of {', '.join(MODES)}")

    def scaled(self, factor: float) -> "Resize":
        """The same for inputs so many times as large, rounded to sides that are multiples of 32."""
        height, width = (max(round(side * factor / STEP), 1) * STEP for side in self.size)
        return replace(self, size=(height, width))

    def place(self, size: tuple[int, int]) -> Placement:
        """Placement of an image of (height, width)."""
        if self.mode == STRETCH:
            return Placement.whole(self.size)
        if self.mode == LETTERBOX:
            height, width = _scaled(size, min(self.size[0] / size[0], self.size[1] / size[1]))
            return Placement(
                self.size, (self.size[0] - height) // 2, (self.size[1] - width) // 2, height, width
            )
        shortest, longest = sorted(self.size)
        if shortest == longest:
            longest = shortest * LONGEST[0] // LONGEST[1]
        height, width = _scaled(size, min(shortest / min(size), longest / max(size)))
        return Placement((-(-height // STEP) * STEP, -(-width // STEP) * STEP), 0, 0, height, width)


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
