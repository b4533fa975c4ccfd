"""A schedule whose length follows from the number of training images: warm-up, then smooth decay."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any

from torch.optim import SGD, Optimizer
from typing_extensions import Self

from yolact_pl.schedules.schedule import PAPER_BATCH_SIZE, PRETRAINED_LR_FACTOR, Schedule

SHAPES = ("cosine", "linear")


class Annealing(Schedule):
    """A length in epochs or images, over which the learning rate falls along half a cosine or a line.

    All steps are stated for `batch_size`, and scaled as the run is: its length in images is the same for
    every batch. Weight decay is for weights only, not for biases and norms. Until it is `scaled`, the
    schedule has the longest length.

    Args:
        optimizer, lr: see `Schedule`.
        epochs: passes over the training images.
        images: training samples in all, instead of `epochs`; not bounded.
        min_steps: bound of the length that follows from `epochs`: few images are seen more often.
        max_steps: bound of the length that follows from `epochs`, stronger than `min_steps`.
        warmup: share of the run in which the rate rises linearly from nearly 0.
        final_factor: of the rate, at the end.
        shape: `cosine` (Loshchilov & Hutter 2017, SGDR, eq. 5) or `linear`.
        batch_size: see `Schedule`.
        options: see `Schedule`.

    Raises:
        ValueError: a number out of range.
    """

    decays_vectors = False

    def __init__(
        self,
        optimizer: Callable[..., Optimizer],
        *,
        lr: float,
        epochs: float,
        images: int | None = None,
        min_steps: int,
        max_steps: int,
        warmup: float = 0.06,
        final_factor: float = 0.02,
        shape: str = "cosine",
        batch_size: int = PAPER_BATCH_SIZE,
        **options: Any,
    ) -> None:
        super().__init__(optimizer, lr=lr, max_steps=max_steps, batch_size=batch_size, **options)
        positive = {"epochs": epochs, "images": images, "min_steps": min_steps}
        for key, value in positive.items():
            if not ((isinstance(value, int | float) and value > 0) or (key, value) == ("images", None)):
                raise ValueError(f"schedule.{key}={value}: expected a number above 0")
        for key, value in {"warmup": warmup, "final_factor": final_factor}.items():
            if not (isinstance(value, int | float) and 0 <= value <= 1):
                raise ValueError(f"schedule.{key}={value}: expected a share from 0 to 1")
        if shape not in SHAPES:
            raise ValueError(f"schedule.shape={shape}: expected one of {', '.join(SHAPES)}")
        self.epochs = epochs
        self.images = images
        self.min_steps = min_steps
        self.warmup = warmup
        self.final_factor = final_factor
        self.shape = shape
        self.length_key = "schedule.max_steps"

    def scaled(self, batch_size: int, num_images: int) -> Self:
        """The schedule of a run with this total batch over so many training images."""
        key, images = self._length(num_images)
        scaled = copy.copy(self)
        scaled.lr = self.lr * self.lr_scale(batch_size)
        scaled.max_steps = max(1, int(images // batch_size))
        scaled.batch_size = batch_size
        scaled.length_key = f"schedule.{key}"
        return scaled

    def _length(self, num_images: int) -> tuple[str, float]:
        """The setting that decides, and the length in images."""
        if self.images is not None:
            return "images", self.images
        length = "epochs", self.epochs * num_images
        shortest = "min_steps", self.min_steps * self.batch_size
        longest = "max_steps", self.max_steps * self.batch_size
        return min(max(length, shortest, key=itemgetter(1)), longest, key=itemgetter(1))

    def lr_scale(self, batch_size: int) -> float:
        """Linear for SGD (Goyal et al. 2017); the square root for Adam and its kin.

        Adam divides gradients by their own size, so the noise of its steps falls with the root of the batch:
        Malladi et al. 2022, "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms".
        """
        factor = batch_size / self.batch_size
        kind = self.optimizer.func if isinstance(self.optimizer, partial) else self.optimizer
        return factor if kind is SGD else math.sqrt(factor)

    @property
    def warmup_steps(self) -> int:
        """Steps until the rate is `lr`."""
        return round(self.warmup * self.max_steps)

    def rate(self, step: int) -> float:
        if step < self.warmup_steps:
            return self.lr * (step + 1) / self.warmup_steps
        rest = self.max_steps - self.warmup_steps
        done = min((step - self.warmup_steps) / rest, 1.0) if rest else 1.0
        left = (1 + math.cos(math.pi * done)) / 2 if self.shape == "cosine" else 1 - done
        return self.lr * (self.final_factor + (1 - self.final_factor) * left)

    def of_epochs(self, epochs: int, num_images: int) -> str:
        steps = max(1, epochs * num_images // self.batch_size)
        instead = "" if self.images is None else " schedule.images=null"
        bound = f" schedule.min_steps={steps}" if steps < self.min_steps else ""
        return f"schedule.epochs={epochs}{instead}{bound}"

    def _line(self) -> str:
        backbone = self.backbone_lr_factor
        backbone = f"{PRETRAINED_LR_FACTOR} if pretrained" if isinstance(backbone, str) else backbone
        factors = {"backbone": backbone, "class layers": self.class_lr_factor}
        parts = "".join(f", {part} x{factor}" for part, factor in factors.items() if factor != 1)
        return (
            f"learning rate {self.lr:g} (warm-up {self.warmup_steps:,} steps{parts}), {self.shape} to "
            f"{self.lr * self.final_factor:g}, {self.max_steps:,} steps of {self.batch_size} images"
        )
