"""Composition of a training sample: layers of source images on one canvas."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from yolact_pl.data.augmentation.window import Window
from yolact_pl.images.placement import Resize


class Images(Protocol):
    """What an augmentation may know of the images of a training set, numbered from 0."""

    def __len__(self) -> int:
        """Number of images."""
        ...

    def size(self, image: int) -> tuple[int, int]:
        """(height, width) in pixels."""
        ...

    def boxes(self, image: int) -> np.ndarray:
        """[N, 4] float32 xyxy in pixels of the image, one per annotation."""
        ...

    def iscrowd(self, image: int) -> np.ndarray:
        """[N] bool, one per annotation."""
        ...


@dataclass(frozen=True, eq=False)
class Layer:
    """One source image, or some of its objects, on the canvas."""

    image: int
    """Number of the image in the training set."""
    window: Window
    """Source rectangle and its placement on the canvas."""
    stencil: np.ndarray | None = None
    """[M] int64, annotations of the image whose pixels are pasted, nothing else of it; None: all it shows."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """The content of one sample before any pixel is read. Later layers cover earlier ones.

    Raises:
        ValueError: a layer is not placed on a canvas of this size.
    """

    size: tuple[int, int]
    """(height, width) of the network's input."""
    layers: tuple[Layer, ...]
    min_visible: float | None = None
    """Least share of an object that is kept: of its box inside its layer's window, of its mask that upper
    layers leave. None, as published: the box's centre is inside, something of the mask is left."""

    def __post_init__(self) -> None:
        for layer in self.layers:
            placement = layer.window.placement
            if placement is None or placement.canvas != self.size:
                raise ValueError(f"layer of image {layer.image} is not placed on a canvas of {self.size}")


class Augmentation(Protocol):
    """Geometry and colours are chosen separately: each pixel is resampled once and recoloured when small.

    The random choices of `compose` come first, then `recolour` per layer.
    """

    @property
    def fill(self) -> tuple[int, int, int]:
        """RGB of the canvas where no layer shows."""
        ...

    def at(self, progress: float) -> "Augmentation":
        """The augmentation of samples at a share of the run, 0 to 1."""
        ...

    def compose(self, image: int, images: Images, resize: Resize, rng: np.random.Generator) -> Canvas:
        """The canvas of the sample of an image; further images may be chosen from `images`."""
        ...

    def recolour(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Change the colours of [H, W, 3] uint8 RGB, the visible part of one layer."""
        ...
