"""Augmentation for training from few images: scale, translation, flips, colours, mosaic and copy-paste."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from yolact_pl.data.augmentation.canvas import Canvas, Images, Layer
from yolact_pl.data.augmentation.photometric import HsvJitter
from yolact_pl.data.augmentation.window import Window
from yolact_pl.images.placement import Placement, Resize
from yolact_pl.images.resize import PADDING

MIN_VISIBLE = 0.1
"""Least share of an object that is learned."""
CENTRE = 0.25, 0.75
"""Range of the point where the tiles of a mosaic meet, as shares of the canvas."""


@dataclass(frozen=True)
class ModernAugmentation:
    """One image on the whole canvas, or a mosaic of four (Bochkovskiy et al. 2020, section 3.3), flipped,
    turned, scaled and shifted. Objects of another image may be pasted onto it (Ghiasi et al. 2021, section
    3).

    Each image and each group of pasted objects has flips, a scale and colours of its own.

    Args:
        flip: probability of exchanging left and right.
        vertical_flip: probability of exchanging top and bottom.
        quarter_turn: probability of turning an image by 90 degrees to either side. Pasted objects stay
            upright.
        scale: smallest and largest factor of the size that the image has in evaluation, log-uniform.
        translate: largest shift of a single image, as a share of the canvas.
        hsv: largest turn of the hue (1: the full circle), largest change of the factors of saturation and
            value.
        mosaic: probability of four images around a random point.
        copy_paste: probability of pasted objects.
        close: last part of the run without mosaic and copy-paste, as a share of it.
        fill: RGB of the canvas outside of images.

    Raises:
        ValueError: an argument out of range.
    """

    flip: float = 0.5
    vertical_flip: float = 0.0
    quarter_turn: float = 0.0
    scale: Sequence[float] = (0.5, 1.5)
    translate: float = 0.1
    hsv: Sequence[float] = (0.015, 0.7, 0.4)
    mosaic: float = 0.0
    copy_paste: float = 0.0
    close: float = 0.1
    fill: tuple[int, int, int] = field(default=PADDING, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("flip", "vertical_flip", "quarter_turn", "translate", "mosaic", "copy_paste", "close"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"augment.{name}={value}: expected a number from 0 to 1")
        if not (len(self.scale) == 2 and 0 < self.scale[0] <= self.scale[1]):
            raise ValueError(f"augment.scale={self.scale}: expected two factors, such as [0.5,1.5]")
        if not (len(self.hsv) == 3 and all(0 <= gain <= 1 for gain in self.hsv)):
            raise ValueError(f"augment.hsv={self.hsv}: expected three numbers from 0 to 1")

    def at(self, progress: float) -> "ModernAugmentation":
        """Without mosaic and copy-paste in the last part of the run."""
        return self if progress < 1 - self.close else replace(self, mosaic=0.0, copy_paste=0.0)

    def compose(self, image: int, images: Images, resize: Resize, rng: np.random.Generator) -> Canvas:
        """One image or four, and what is pasted onto them."""
        canvas = resize.place(images.size(image)).canvas
        mosaic, copy_paste = rng.random(2) < (self.mosaic, self.copy_paste)
        if mosaic:
            layers = self._mosaic(canvas, image, images, resize, rng)
        else:
            layers = [self._single(image, images.size(image), resize, rng)]
        if copy_paste:
            layers += self._pasted(canvas, images, resize, rng)
        return Canvas(canvas, tuple(layers), MIN_VISIBLE)

    def recolour(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Jitter of hue, saturation and value."""
        return HsvJitter(*self.hsv)(pixels, rng) if any(self.hsv) else pixels

    def _single(self, image: int, size: tuple[int, int], resize: Resize, rng: np.random.Generator) -> Layer:
        """The whole canvas, on which the image lies where evaluation has it, but for scale and shift."""
        place, step = resize.place(size), self._step(size, resize, rng)
        shift = rng.uniform(-self.translate, self.translate, 2) * place.canvas
        centre = np.array([place.top + place.height / 2, place.left + place.width / 2]) + shift
        start = np.array(size) / 2 - centre * step
        return Layer(image, self._window(size, start, step, Placement.whole(place.canvas), rng))

    def _mosaic(
        self, canvas: tuple[int, int], image: int, images: Images, resize: Resize, rng: np.random.Generator
    ) -> list[Layer]:
        """Four tiles, each with a random part of its image, or all of it where that is smaller."""
        (height, width), (y, x) = canvas, (rng.uniform(*CENTRE, 2) * canvas).astype(int).tolist()
        tiles = [(0, 0, y, x), (0, x, y, width - x), (y, 0, height - y, x), (y, x, height - y, width - x)]
        layers = []
        for number, tile in zip((image, *rng.integers(len(images), size=3).tolist()), tiles, strict=True):
            area, size = Placement(canvas, *tile), images.size(number)
            step = self._step(size, resize, rng)
            start = rng.random(2) * (size - step * (area.height, area.width))
            layers.append(Layer(number, self._window(size, start, step, area, rng)))
        return layers

    def _pasted(
        self, canvas: tuple[int, int], images: Images, resize: Resize, rng: np.random.Generator
    ) -> list[Layer]:
        """About half of the objects of another image anywhere, but whole; no layer if there are none."""
        image = int(rng.integers(len(images)))
        (objects,) = np.nonzero(~images.iscrowd(image))
        if not len(objects):
            return []
        chosen = objects[(rng.random(len(objects)) < 0.5) | (objects == rng.choice(objects))]
        boxes, size = images.boxes(image)[chosen], images.size(image)
        start = np.floor(boxes[:, 1::-1].min(axis=0)).clip(0, np.subtract(size, 1))
        extent = (np.ceil(boxes[:, :1:-1].max(axis=0)).clip(max=size) - start).clip(1)
        shown = extent / self._step(size, resize, rng)
        shown *= min(1, *(canvas / shown))
        height, width = np.rint(shown).astype(int).clip(1).tolist()
        top, left = rng.integers(np.subtract(canvas, (height, width)), endpoint=True).tolist()
        area = Placement(canvas, top, left, height, width)
        window = self._window(size, start, extent / (height, width), area, rng, upright=True)
        return [Layer(image, window, chosen)]

    def _step(self, size: tuple[int, int], resize: Resize, rng: np.random.Generator) -> np.ndarray:
        """Vertical and horizontal source pixels per pixel of the canvas at a random scale."""
        place = resize.place(size)
        return size / np.array([place.height, place.width]) / np.exp(rng.uniform(*np.log(self.scale)))

    def _window(
        self,
        size: tuple[int, int],
        start: np.ndarray,
        step: np.ndarray,
        area: Placement,
        rng: np.random.Generator,
        *,
        upright: bool = False,
    ) -> Window:
        """What an area of the canvas shows of an image, flipped or not, turned around its middle or not.

        Whole pixels of the image on whole pixels of the canvas, so that a plain resize of a crop is enough.

        Args:
            size: (height, width) of the image.
            start: top and left of the area in pixels of the image, may be outside.
            step: pixels of the image per pixel of the canvas.
            area: of the canvas.
            rng: decides on flips and turns.
            upright: never turned.
        """
        turned = not upright and self.quarter_turn > 0 and rng.random() < self.quarter_turn
        if turned:
            start = start + step * (area.height - area.width, area.width - area.height) / 2
            area = area.transposed()
        available = np.array([area.height, area.width])
        low = np.rint(start).clip(0, np.subtract(size, 1))
        high = np.rint(start + step * available).clip(low + 1, size)
        first = np.rint(-start / step).clip(0, available - 1)
        last = np.rint((size - start) / step).clip(first + 1, available)
        (top, left), (height, width), (y, x), (rows, columns) = (
            pair.astype(int).tolist() for pair in (low, high - low, first, last - first)
        )
        flip, vertical_flip = (rng.random(2) < (self.flip, self.vertical_flip)).tolist()
        place = Placement(area.canvas, area.top + y, area.left + x, rows, columns)
        if not turned:
            return Window(left, top, width, height, flip, place, vertical_flip)
        to_the_left = bool(rng.random() < 0.5)  # a transpose and one flip are a turn
        return Window(
            left,
            top,
            width,
            height,
            flip ^ to_the_left,
            place.transposed(),
            vertical_flip ^ (not to_the_left),
            transpose=True,
        )
