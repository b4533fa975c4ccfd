"""A trained network and the config that belongs to it, from a checkpoint of ours or a released one."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from yolact_pl.checkpoints.description import (
    ENTRY,
    CheckpointError,
    describes_itself,
    load_weights,
    network_weights,
    read_checkpoint,
)
from yolact_pl.checkpoints.download import fetch, is_published
from yolact_pl.checkpoints.released import load_released_weights
from yolact_pl.checkpoints.released_classes import released_classes
from yolact_pl.models.weight_files import named_tensors
from yolact_pl.models.yolact import Yolact
from yolact_pl.tasks.agreement import check_agreement
from yolact_pl.tasks.build import build_network
from yolact_pl.tasks.find_checkpoint import checkpoint_to_use
from yolact_pl.tasks.released_config import with_released_config
from yolact_pl.tasks.stored_config import with_stored_config

_log = logging.getLogger(__name__)


class Trained(NamedTuple):
    """What a task needs of a checkpoint."""

    path: Path
    network: Yolact
    cfg: DictConfig
    """The checkpoint's config with the command line's overrides."""
    class_names: list[str]
    category_ids: list[int]
    """The annotation file's id of each class that the network was trained with."""

    def check_classes(self, names: Sequence[str]) -> None:
        """A data set with other classes can't be measured with this network.

        Raises:
            CheckpointError: number or names of the classes differ.
        """
        if len(names) != len(self.class_names):
            raise CheckpointError(
                f"checkpoint {self.path} knows {len(self.class_names)} classes, the data set has "
                f"{len(names)}; give the data set that it was trained for"
            )
        differing = [(a, b) for a, b in zip(self.class_names, names, strict=True) if a != b]
        if differing:
            _log.warning(
                "class names differ between checkpoint and data set, the first is %r and %r", *differing[0]
            )


def load_trained(cfg: DictConfig) -> Trained:
    """Load what `cfg.checkpoint` means: a file of ours, a released `.pth`, or the name of a published one.

    Raises:
        CheckpointError: no file, no checkpoint, or one of another network than the command line asks for.
    """
    path = fetch(cfg.checkpoint) if is_published(cfg.checkpoint) else checkpoint_to_use(cfg)
    content = read_checkpoint(path)
    if not describes_itself(content):
        return _load_released(cfg, content, path)
    description = content[ENTRY]
    check_agreement(cfg, description["network"], path)
    merged = with_stored_config(cfg, description["config"])
    network = build_network(merged, len(description["class_names"]), pretrained=False)
    load_weights(network, network_weights(content), str(path))
    return Trained(path, network, merged, description["class_names"], description["category_ids"])


def _load_released(cfg: DictConfig, content: dict[str, Any], path: Path) -> Trained:
    state = named_tensors(content, source=path)
    merged, num_classes = with_released_config(cfg, state, path)
    network = build_network(merged, num_classes, pretrained=False)
    load_released_weights(network, state, source=path)
    classes = released_classes(num_classes)
    return Trained(path, network, merged, list(classes.names), list(classes.category_ids))
