"""A trained network and the config that belongs to it, from a checkpoint of ours or a released one."""

import logging
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig

from yolact_pl.checkpoints.description import (
    ENTRY,
    CheckpointError,
    describes_itself,
    load_weights,
    network_weights,
    read_checkpoint,
)
from yolact_pl.models.yolact import Yolact
from yolact_pl.tasks.build import build_network
from yolact_pl.tasks.find_checkpoint import checkpoint_to_use
from yolact_pl.tasks.stored_config import with_stored_config

_log = logging.getLogger(__name__)


class Trained(NamedTuple):
    """What a task needs of a checkpoint."""

    path: Path
    network: Yolact
    cfg: DictConfig
    """The checkpoint's config with the command line's overrides."""
    class_names: list[str]

    def check_classes(self, names: list[str]) -> None:
        """A data set with other classes can't be measured with this network.

        Raises:
            CheckpointError: number or names of the classes differ.
        """
        if len(names) != len(self.class_names):
            raise CheckpointError(
                f"checkpoint {self.path} knows {len(self.class_names)} classes, the data set has {len(names)}; "
                "give the data set that it was trained for"
            )
        differing = [(a, b) for a, b in zip(self.class_names, names, strict=True) if a != b]
        if differing:
            _log.warning("class names differ between checkpoint and data set, the first is %r and %r", *differing[0])


def load_trained(cfg: DictConfig) -> Trained:
    """Load what `cfg.checkpoint` means.

    Raises:
        CheckpointError: no file, no checkpoint, or one of another architecture than the command line asks for.
    """
    path = checkpoint_to_use(cfg)
    content = read_checkpoint(path)
    if not describes_itself(content):
        raise CheckpointError(f"checkpoint {path}: not a checkpoint of this project")
    description = content[ENTRY]
    merged = with_stored_config(cfg, description["config"])
    class_names = description["class_names"]
    network = build_network(merged, len(class_names))
    load_weights(network, network_weights(content), str(path))
    return Trained(path, network, merged, class_names)
