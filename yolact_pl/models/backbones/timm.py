"""Backbones of the timm library."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from yolact_pl.models.backbones.backbone import Backbone
from yolact_pl.models.weight_files import INSTEAD_OF_FETCHING, CheckpointError, read_tensors

STRIDES = (4, 8, 16, 32)


class TimmBackbone(Backbone):
    """Any timm model with feature maps at strides 4 to 32; channels, mean and std are read from it."""

    def __init__(self, name: str, *, weights: str | Path | None = None) -> None:
        """Args:
        name: as `timm.list_models()` has it.
        weights: "imagenet" for timm's (fetched once), a path for a local file with timm's names, None to
            start from random.

        Raises:
            ValueError: timm is not installed, does not know the model, the model has no such maps, or the
                weights cannot be fetched or do not fit.
        """
        super().__init__()
        try:
            import timm
        except ImportError as error:
            raise ValueError("backbone=timm needs the timm package: pip install yolact-pl[timm]") from error
        try:
            with torch.device("meta"):  # only to see what it has
                feature_info: Any = timm.create_model(name, features_only=True).feature_info
        except (RuntimeError, AttributeError) as error:
            raise ValueError(
                f"timm has no model {name!r} with feature maps ({error}); choose one of timm.list_models()"
            ) from error
        reductions: list[int] = feature_info.reduction()
        missing = [stride for stride in STRIDES if stride not in reductions]
        if missing:
            raise ValueError(
                f"timm's {name} has feature maps at strides {reductions}, but 4, 8, 16 and 32 are needed; "
                "choose a model with a pyramid, such as a ResNet, ConvNeXt or EfficientNet"
            )
        # Of several maps with one stride the last is the richest.
        indices = [len(reductions) - 1 - reductions[::-1].index(stride) for stride in STRIDES]
        self.pretrained = weights is not None
        options: dict[str, Any] = {}
        if weights is not None and weights != "imagenet":
            options["pretrained_cfg_overlay"] = {"state_dict": read_tensors(weights)}
        try:
            self.model = timm.create_model(
                name, pretrained=self.pretrained, features_only=True, out_indices=indices, **options
            )
        except OSError as error:
            raise CheckpointError(
                f"cannot fetch timm's weights of {name} ({error}); {INSTEAD_OF_FETCHING}"
            ) from error
        except RuntimeError as error:  # of `load_state_dict`, or of a model without weights
            raise CheckpointError(f"backbone.weights={weights}: not of timm's {name} ({error})") from error
        self.channels = tuple(feature_info.channels()[index] for index in indices)
        config: Any = self.model.pretrained_cfg
        self.mean = _on_255(config["mean"])
        self.std = _on_255(config["std"])

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Normalised images [B, 3, H, W] to (C2, C3, C4, C5)."""
        return tuple(self.model(x))


def _on_255(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return 255 * red, 255 * green, 255 * blue
