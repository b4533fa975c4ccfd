"""A trained network and the config that belongs to it, from a checkpoint of ours or a released one."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig

from yolact_pl.checkpoints.published import fetch, is_published
from yolact_pl.checkpoints.released_anchors import AnchorChoice
from yolact_pl.checkpoints.stored import read_stored_network
from yolact_pl.config.build import build, build_network
from yolact_pl.config.checkpoint_config import checkpoint_config
from yolact_pl.config.class_names import data_with_classes
from yolact_pl.config.find_checkpoint import checkpoint_to_use
from yolact_pl.config.missing_data import check_data
from yolact_pl.config.typed_keys import chosen_groups, typed_keys
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.models.network import YolactNetwork

_log = logging.getLogger(__name__)


class Trained(NamedTuple):
    """What a task needs of a checkpoint."""

    path: Path
    network: YolactNetwork
    cfg: DictConfig
    """The checkpoint's config with the command line's overrides."""
    class_names: list[str]
    category_ids: list[int]
    """The annotation file's id of each class that the network was trained with."""
    names_are_stored: bool
    """False for released weights: their class names follow from their number."""
    class_thresholds: tuple[float, ...] | None
    """The best minimum score of each class, where that was measured."""

    def data(self) -> CocoDataModule:
        """The data set of the config, with labels that count the classes as the network does.

        Raises:
            CheckpointError: it has other classes; of released weights, another number of them.
        """
        data: CocoDataModule = build(self.cfg.dataset)
        check_data(data, self.cfg, "validate")
        if self.names_are_stored or len(data.classes) != len(self.class_names):
            origin = f"checkpoint {self.path}"
            return data_with_classes(self.cfg, lambda cfg: build(cfg.dataset), data, self.class_names, origin)
        differing = [pair for pair in zip(self.class_names, data.classes, strict=True) if len(set(pair)) > 1]
        if differing:
            _log.warning(
                "released weights do not tell their classes: %r of the data set is taken for their %r",
                *reversed(differing[0]),
            )
        return data


def load_trained(
    cfg: DictConfig, *, class_names: Sequence[str] | None = None, anchors: AnchorChoice | None = None
) -> Trained:
    """Load what `cfg.checkpoint` means: a file of ours, a released `.pth`, or the name of a published one.

    Args:
        cfg: of the run.
        class_names: see `read_stored_network`.
        anchors: see `read_stored_network`.

    Raises:
        CheckpointError: no file, no checkpoint, or one of another network than the command line asks for.
    """
    path = fetch(cfg.checkpoint) if is_published(cfg.checkpoint) else checkpoint_to_use(cfg)
    stored = read_stored_network(path, class_names=class_names, anchors=anchors)
    merged = checkpoint_config(cfg, stored, typed=typed_keys(), groups=chosen_groups())
    network = build_network(merged, len(stored.class_names), pretrained=False)
    stored.fill(network)
    names_are_stored = stored.config is not None
    return Trained(
        path=stored.path,
        network=network,
        cfg=merged,
        class_names=stored.class_names,
        category_ids=stored.category_ids,
        names_are_stored=names_are_stored,
        class_thresholds=stored.class_thresholds,
    )
