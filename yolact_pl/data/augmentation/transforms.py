"""Single-image augmentations: none, horizontal flip, SSD."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace

import numpy as np

from yolact_pl.data.augmentation.canvas import Canvas, Images, Layer
from yolact_pl.data.augmentation.photometric import PhotometricDistortion
from yolact_pl.data.augmentation.window import Window
from yolact_pl.images.placement import Resize
from yolact_pl.images.resize import PADDING


@dataclass(frozen=True)
class SingleImage(ABC):
    """Augmentations that show one window of one image per sample."""

    fill: tuple[int, int, int] = field(default=PADDING, kw_only=True)
    """RGB of the canvas outside the image."""

    @abstractmethod
    def window(
        self, size: tuple[int, int], boxes: np.ndarray, iscrowd: np.ndarray, rng: np.random.Generator
    ) -> Window:
        """The visible window of an image of (height, width) with [N, 4] xyxy boxes in its pixels."""

    def at(self, progress: float) -> "SingleImage":
        """The same all along."""
        return self

    def compose(self, image: int, images: Images, resize: Resize, rng: np.random.Generator) -> Canvas:
        """One layer: the window, resized as whole images are for evaluation."""
        window = self.window(images.size(image), images.boxes(image), images.iscrowd(image), rng)
        placement = resize.place((window.height, window.width))
        return Canvas(placement.canvas, (Layer(image, replace(window, placement=placement)),))

    def recolour(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The colours as they are."""
        return pixels


@dataclass(frozen=True)
class NoAugmentation(SingleImage):
    """The whole image, unchanged."""

    def window(
        self, size: tuple[int, int], boxes: np.ndarray, iscrowd: np.ndarray, rng: np.random.Generator
    ) -> Window:
        return Window.whole(size)


@dataclass(frozen=True)
class FlipAugmentation(SingleImage):
    """Mirrors with probability 1/2 only: for objects that must stay whole and at their size."""

    def window(
        self, size: tuple[int, int], boxes: np.ndarray, iscrowd: np.ndarray, rng: np.random.Generator
    ) -> Window:
        return Window.whole(size, flip=bool(rng.random() < 0.5))


@dataclass(frozen=True)
class SsdAugmentation(SingleImage):
    """The augmentation of SSD (Liu et al. 2016, section 2.2) as YOLACT was trained with it.

    Args:
        photometric: distort brightness, contrast, saturation and hue.
        expand: with probability 1/2 the image is placed on a canvas up to this many times as wide and high;
            1 switches it off.
        crop: with probability 5/6 a part with 0.3 to 1 of the width and height and an aspect ratio of 1/2 to
            2. It contains the centre of at least one object, however little of that object is left: the
            published sampler draws minimum overlaps, but never rejects a crop for them.
        mirror: with probability 1/2.
        fill: RGB of the canvas.
    """

    photometric: bool = True
    expand: float = 4.0
    crop: bool = True
    mirror: bool = True
    distortion: PhotometricDistortion = field(default_factory=PhotometricDistortion)

    def window(
        self, size: tuple[int, int], boxes: np.ndarray, iscrowd: np.ndarray, rng: np.random.Generator
    ) -> Window:
        canvas = Window.whole(size)
        if self.expand > 1 and rng.random() < 0.5:
            canvas = expand_canvas(size, self.expand, rng)
        flip = bool(self.mirror and rng.random() < 0.5)
        if self.crop:
            canvas = crop_canvas(canvas, boxes, iscrowd, rng)
        return Window(canvas.left, canvas.top, canvas.width, canvas.height, flip)

    def recolour(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.distortion(pixels, rng) if self.photometric else pixels


def expand_canvas(size: tuple[int, int], largest: float, rng: np.random.Generator) -> Window:
    """A canvas 1 to `largest` times as large as an image of (height, width), placed anywhere on it."""
    ratio = rng.uniform(1, largest)
    left = rng.uniform(0, size[1] * ratio - size[1])
    top = rng.uniform(0, size[0] * ratio - size[0])
    return Window(-int(left), -int(top), int(size[1] * ratio), int(size[0] * ratio))


def crop_canvas(canvas: Window, boxes: np.ndarray, iscrowd: np.ndarray, rng: np.random.Generator) -> Window:
    """A random part of a canvas that contains the centre of an object; any part where there is none."""
    objects = boxes[~iscrowd]
    while rng.random() >= 1 / 6:
        for _ in range(50):
            width, height = rng.uniform(0.3, 1, 2) * (canvas.width, canvas.height)
            if not 0.5 <= height / width <= 2:
                continue
            left, top = rng.uniform(0, 1, 2) * (canvas.width - width, canvas.height - height)
            x1, y1, x2, y2 = int(left), int(top), int(left + width), int(top + height)
            crop = Window(canvas.left + x1, canvas.top + y1, max(x2 - x1, 1), max(y2 - y1, 1))
            if len(objects) == 0 or crop.contains_centres(objects).any():
                return crop
    return canvas
