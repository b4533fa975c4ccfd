"""What all schedules share: scaling to the batch, a step to start at, parameter groups."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from typing_extensions import Self

PAPER_BATCH_SIZE = 8
BACKBONE = "backbone."
AUTO = "auto"
PRETRAINED_LR_FACTOR = 0.1
OFFSETS = "conv_offset_mask"
"""In the names of the weights that `offset_lr_factor` is about, see `ops.dcnv2`."""
CLASS_LAYERS = ("head.class_logits.", "semantic.", "mask_iou.ious.")
"""The layers with a row per class: what `init` starts anew for new classes."""


class Schedule(ABC):
    """A training schedule, stated for the total batch size that it was tuned with.

    Args:
        optimizer: called with parameter groups and `lr`, such as `partial(torch.optim.SGD, momentum=0.9)`.
        lr: learning rate after the warm-up.
        max_steps: optimizer steps of the whole schedule.
        batch_size: the total batch (all devices, nodes and accumulated batches together) that the numbers
            are stated for.
        start_step: the step of the schedule that the run begins with, see `starting_at`.
        backbone_lr_factor: of the rate, for the backbone; "auto": a tenth of it if the backbone is
            pretrained, so that few images do not undo what many taught.
        offset_lr_factor: of the rate, for the convolutions that say where the deformable ones of YOLACT++
            sample. The published training has 1. Adam and its kin take steps of the rate's size however
            small a gradient is, and offsets that jump by a pixel a step teach the other weights nothing.
        class_lr_factor: of the rate, for the layers with a row per class.

    Raises:
        ValueError: a learning rate or a factor out of range.
    """

    length_key: str
    """The setting that decides how long the run is."""
    decays_vectors = True
    """Whether weight decay is also for parameters with one dimension: biases and the weights of norms."""

    def __init__(
        self,
        optimizer: Callable[..., Optimizer],
        *,
        lr: float,
        max_steps: int,
        batch_size: int = PAPER_BATCH_SIZE,
        start_step: int = 0,
        backbone_lr_factor: float | str = 1.0,
        offset_lr_factor: float = 1.0,
        class_lr_factor: float = 1.0,
    ) -> None:
        if not (isinstance(lr, int | float) and lr > 0):
            raise ValueError(f"schedule.lr={lr}: expected a number above 0, such as 1e-3")
        if not (isinstance(max_steps, int) and max_steps >= 1):
            raise ValueError(
                f"schedule.max_steps={max_steps}: expected 1 or more steps of {batch_size} images"
            )
        factors = {
            "backbone_lr_factor": backbone_lr_factor,
            "offset_lr_factor": offset_lr_factor,
            "class_lr_factor": class_lr_factor,
        }
        for key, factor in factors.items():
            if (key, factor) == ("backbone_lr_factor", AUTO):
                continue
            if not (isinstance(factor, int | float) and factor >= 0):
                raise ValueError(f"schedule.{key}={factor}: expected a number, at least 0")
        self.optimizer = optimizer
        self.lr = lr
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.start_step = start_step
        self.backbone_lr_factor = backbone_lr_factor
        self.offset_lr_factor = offset_lr_factor
        self.class_lr_factor = class_lr_factor

    @abstractmethod
    def scaled(self, batch_size: int, num_images: int) -> Self:
        """The schedule of a run with this total batch over so many training images.

        Epochs take as many images as before, so larger batches make fewer steps.
        """

    @abstractmethod
    def lr_scale(self, batch_size: int) -> float:
        """Factor of the learning rate for another total batch."""

    @abstractmethod
    def rate(self, step: int) -> float:
        """Learning rate at step `step` of the schedule, the first one being 0."""

    @abstractmethod
    def of_epochs(self, epochs: int, num_images: int) -> str:
        """The overrides for a run of so many epochs."""

    @abstractmethod
    def _line(self) -> str:
        """The whole schedule for people."""

    def describe(self) -> str:
        """One line for people."""
        return self._line() + (f", from step {self.start_step:,} on" if self.start_step else "")

    def starting_at(self, step: int) -> Self:
        """The same schedule from a later step on; earlier ones were done elsewhere (see `start_step`).

        Raises:
            ValueError: the schedule is over by then.
        """
        if not 0 <= step < self.max_steps:
            raise ValueError(
                f"start_step={step}: the schedule has steps 0 to {self.max_steps - 1} at {self.batch_size} "
                f"images a step; give an earlier step, or a longer {self.length_key}"
            )
        started = copy.copy(self)
        started.start_step = step
        return started

    @property
    def run_steps(self) -> int:
        """Optimizer steps that are left for this run."""
        return self.max_steps - self.start_step

    def lr_at(self, step: int) -> float:
        """Learning rate in use at optimizer step `step` of this run, the first one being 0."""
        return self.rate(step + self.start_step)

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """The trainable parameters, each group with its learning rate after the warm-up."""
        groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
        backbone_factor = self.backbone_lr_factor
        if isinstance(backbone_factor, str):
            backbone_factor = PRETRAINED_LR_FACTOR if _is_pretrained(network) else 1.0
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                factor = backbone_factor if name.startswith(BACKBONE) else 1.0
                factor *= self.offset_lr_factor if OFFSETS in name else 1.0
                factor *= self.class_lr_factor if name.startswith(CLASS_LAYERS) else 1.0
                decays = self.decays_vectors or parameter.ndim > 1
                groups.setdefault((factor, decays), []).append(parameter)
        return [
            {"params": parameters, "lr": self.lr * factor} | ({} if decays else {"weight_decay": 0.0})
            for (factor, decays), parameters in groups.items()
        ]

    def configure(self, network: nn.Module) -> tuple[Optimizer, LambdaLR]:
        """The optimizer over the trainable parameters, and its scheduler (one tick per optimizer step).

        Raises:
            ValueError: a setting that the optimizer does not take.
        """
        try:
            optimizer = self.optimizer(self.parameter_groups(network), lr=self.lr)
        except TypeError as error:
            raise ValueError(
                f"optimizer: {error}; choose optimizer=sgd or optimizer=adamw, whose settings are their own"
            ) from error
        return optimizer, LambdaLR(optimizer, lambda step: self.lr_at(step) / self.lr)


def _is_pretrained(network: nn.Module) -> bool:
    return bool(getattr(network.get_submodule(BACKBONE.rstrip(".")), "pretrained", False))
