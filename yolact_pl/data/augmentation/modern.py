"""Augmentation for training from few images: scale and translation, flips and colours."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from yolact_pl.data.augmentation.canvas import Canvas, Images, Layer
from yolact_pl.data.augmentation.photometric import HsvJitter
from yolact_pl.data.augmentation.window import Window
from yolact_pl.images.placement import Placement, Resize
from yolact_pl.images.resize import PADDING

MIN_VISIBLE = 0.1
"""Least share of an object's box that is learned."""


@dataclass(frozen=True)
class ModernAugmentation:
    """Scale and translation of the whole image on the whole canvas, flips, jitter of the colours.

    Args:
        flip: probability of exchanging left and right.
        vertical_flip: probability of exchanging top and bottom.
        scale: smallest and largest factor of the size that the image has in evaluation, log-uniform.
        translate: largest shift, as a share of the canvas.
        hsv: largest turn of the hue (1: the full circle), largest change of the factors of saturation and
            value.
        fill: RGB of the canvas outside the image.

    Raises:
        ValueError: an argument out of range.
    """

    flip: float = 0.5
    vertical_flip: float = 0.0
    scale: Sequence[float] = (0.5, 1.5)
    translate: float = 0.1
    hsv: Sequence[float] = (0.015, 0.7, 0.4)
    fill: tuple[int, int, int] = field(default=PADDING, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("flip", "vertical_flip", "translate"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"augment.{name}={value}: expected a number from 0 to 1")
        if not (len(self.scale) == 2 and 0 < self.scale[0] <= self.scale[1]):
            raise ValueError(f"augment.scale={self.scale}: expected two factors, such as [0.5,1.5]")
        if not (len(self.hsv) == 3 and all(0 <= gain <= 1 for gain in self.hsv)):
            raise ValueError(f"augment.hsv={self.hsv}: expected three numbers from 0 to 1")

    def compose(self, image: int, images: Images, resize: Resize, rng: np.random.Generator) -> Canvas:
        """One layer over the whole canvas, which also shows what lies around the image."""
        size = images.size(image)
        place = resize.place(size)
        step = np.array([size[0] / place.height, size[1] / place.width]) / self._scale(rng)
        shift = rng.uniform(-self.translate, self.translate, 2) * place.canvas
        centre = np.array([place.top + place.height / 2, place.left + place.width / 2]) + shift
        start = np.array(size) / 2 - centre * step
        whole = Placement.whole(place.canvas)
        return Canvas(place.canvas, (Layer(image, self._window(start, step, whole, rng)),), MIN_VISIBLE)

    def recolour(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Jitter of hue, saturation and value."""
        return HsvJitter(*self.hsv)(pixels, rng) if any(self.hsv) else pixels

    def _scale(self, rng: np.random.Generator) -> float:
        return float(np.exp(rng.uniform(*np.log(self.scale))))

    def _window(
        self, start: np.ndarray, step: np.ndarray, place: Placement, rng: np.random.Generator
    ) -> Window:
        """The source pixels that a place shows, flipped or not.

        Args:
            start: top and left of the window.
            step: source pixels per pixel of the canvas, vertical and horizontal.
            place: on the canvas.
            rng: decides on the flips.
        """
        top, left = np.rint(start).astype(int).tolist()
        height, width = np.rint(step * (place.height, place.width)).astype(int).clip(1).tolist()
        flip, vertical_flip = (rng.random(2) < (self.flip, self.vertical_flip)).tolist()
        return Window(left, top, width, height, flip, place, vertical_flip)
