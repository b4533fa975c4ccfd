"""A trained network as it lies in a file: a checkpoint of this project, or a released `.pth`."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from yolact_pl.checkpoints.class_thresholds import class_thresholds
from yolact_pl.checkpoints.description import (
    ENTRY,
    CheckpointError,
    build_decoder,
    build_network,
    describes_itself,
    load_weights,
    network_weights,
    read_checkpoint,
)
from yolact_pl.checkpoints.older import PUBLISHED_DECODER
from yolact_pl.checkpoints.released import describe_released, load_released_weights, released_image_size
from yolact_pl.checkpoints.released_anchors import AnchorChoice
from yolact_pl.checkpoints.released_classes import named_classes, released_classes
from yolact_pl.decoders.decoder import Decoder
from yolact_pl.images.depth import ValueRange
from yolact_pl.images.placement import STRETCH
from yolact_pl.models.network import YolactNetwork
from yolact_pl.models.weight_files import named_tensors

_log = logging.getLogger(__name__)
_RELEASED = re.compile(
    r"yolact_(plus_)?(base|resnet50|darknet53|im400|im700|resnet50_pascal)_54_(800000|120000)\.pth"
)
"""File names of which classes and anchors are certain."""


@dataclass(frozen=True)
class StoredNetwork:
    """What a file says of its network, and the weights."""

    path: Path
    tree: dict[str, Any]
    """The constructor calls of the network, see `checkpoints.description`."""
    decoder_tree: dict[str, Any]
    """The constructor call of the decoder of its outputs."""
    class_names: list[str]
    category_ids: list[int]
    """The annotation file's id of each class."""
    image_size: tuple[int, int]
    """(height, width) of the images that it was trained on."""
    resize: str
    """How those were placed on the input, see `geometry.placement`."""
    config: dict[str, Any] | None
    """The whole config of the run that wrote the file; None for released weights, which hold nothing else."""
    weights: dict[str, Tensor]
    """By the network's own names, or by the published ones if there is no config."""
    class_thresholds: tuple[float, ...] | None = None
    """The best minimum score of each class, where that was measured, see `checkpoints.class_thresholds`."""

    @property
    def value_range(self) -> ValueRange | None:
        """How training images with more than 8 bits were scaled, see `read_image`."""
        values = ((self.config or {}).get("dataset") or {}).get("value_range")
        return None if values is None else ValueRange(*values)

    def build(self, image_size: tuple[int, int] | None = None) -> YolactNetwork:
        """The network with its weights, in evaluation mode.

        Args:
            image_size: (height, width) of the images that it will get; the anchors grow with it.

        Raises:
            CheckpointError: it is no network of this project, or the weights do not fit.
        """
        tree = self.tree if image_size is None else at_image_size(self.tree, image_size)
        network = build_network(tree, origin=str(self.path))
        if not isinstance(network, YolactNetwork):
            raise CheckpointError(
                f"checkpoint {self.path}: holds a {type(network).__name__}, no YOLACT network"
            )
        self.fill(network)
        return network.eval()

    def build_decoder(self) -> Decoder:
        """The decoder of the network's outputs.

        Raises:
            CheckpointError: it is no decoder of this project.
        """
        return build_decoder(self.decoder_tree, origin=str(self.path))

    def fill(self, network: YolactNetwork) -> None:
        """Load all weights or none; the network's backbone counts as pretrained then.

        Raises:
            CheckpointError: weights that are missing, have no place or another shape.
        """
        if self.config is None:
            load_released_weights(network, self.weights, source=self.path)
        else:
            load_weights(network, self.weights, str(self.path))


def read_stored_network(
    path: str | Path, *, class_names: Sequence[str] | None = None, anchors: AnchorChoice | None = None
) -> StoredNetwork:
    """Read a file without running any code that is in it.

    Args:
        path: the file.
        class_names: in place of the file's own, or of those that are assumed of a `.pth`.
        anchors: of a `.pth`, see `describe_released`.

    Raises:
        CheckpointError: no such file, no checkpoint, or not one of a YOLACT network; class names or anchors
            that do not fit it.
    """
    path = Path(path)
    content = read_checkpoint(path)
    if describes_itself(content):
        described = content[ENTRY]
        height, width = described["image_size"]
        if anchors is not None:
            raise CheckpointError(f"anchors={anchors}: checkpoint {path} says its anchors itself")
        names = described["class_names"]
        if class_names is not None:
            names = list(named_classes(class_names, len(names), path).names)
        return StoredNetwork(
            path=path,
            tree=described["network"],
            decoder_tree=described["decoder"],
            class_names=names,
            category_ids=described["category_ids"],
            image_size=(height, width),
            resize=described.get("resize", STRETCH),
            config=described["config"],
            weights=network_weights(content),
            class_thresholds=class_thresholds(content, path),
        )
    weights = named_tensors(content, source=path)
    side = released_image_size(path)
    tree = describe_released(weights, source=path, image_size=side, anchors=anchors)
    num_classes, scales = tree["num_classes"], tree["anchors"]["scales"]
    assumed = [] if anchors is not None else [f"anchors of scales {scales}"]
    if class_names is not None:
        classes = named_classes(class_names, num_classes, path)
    else:
        classes = released_classes(num_classes, path)
        assumed.insert(0, f"{num_classes} classes {classes.names[0]!r} to {classes.names[-1]!r}")
    if assumed and not _RELEASED.fullmatch(path.name):
        _log.warning(
            "%s does not say what it was trained for; assumed: %s. If that is wrong, give class_names= and "
            "anchors= to yolact_pl.load or task=predict",
            path, ", ".join(assumed),
        )  # fmt: skip
    return StoredNetwork(
        path=path,
        tree=tree,
        decoder_tree=PUBLISHED_DECODER,
        class_names=list(classes.names),
        category_ids=list(classes.category_ids),
        image_size=(side, side),
        resize=STRETCH,
        config=None,
        weights=weights,
    )


def at_image_size(tree: dict[str, Any], image_size: int | Sequence[int]) -> dict[str, Any]:
    """A network's constructor calls for images of another size, a side or (height, width)."""
    size = image_size if isinstance(image_size, int) else list(image_size)
    if "anchors" not in tree:  # one point per cell, whatever the size
        return dict(tree)
    return {**tree, "anchors": {**tree["anchors"], "image_size": size}}
