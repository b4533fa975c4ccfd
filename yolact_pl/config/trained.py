"""A trained network and the config that belongs to it, from a checkpoint of ours or a released one."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig

from yolact_pl.checkpoints.description import CheckpointError
from yolact_pl.checkpoints.published import fetch, is_published
from yolact_pl.checkpoints.stored import read_stored_network
from yolact_pl.config.agreement import check_agreement
from yolact_pl.config.build import build_network
from yolact_pl.config.find_checkpoint import checkpoint_to_use
from yolact_pl.config.released_config import with_released_config
from yolact_pl.config.stored_config import with_stored_config
from yolact_pl.models.yolact import Yolact

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
    stored = read_stored_network(
        fetch(cfg.checkpoint) if is_published(cfg.checkpoint) else checkpoint_to_use(cfg)
    )
    if stored.config is None:
        merged = with_released_config(cfg, stored)
    else:
        check_agreement(cfg, stored.tree, stored.path)
        merged = with_stored_config(cfg, stored.config)
    network = build_network(merged, len(stored.class_names), pretrained=False)
    stored.fill(network)
    return Trained(stored.path, network, merged, stored.class_names, stored.category_ids)
