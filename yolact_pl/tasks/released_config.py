"""The config that belongs to a released `.pth`, which holds weights and nothing else."""

from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig, open_dict
from torch import Tensor

from yolact_pl.checkpoints.released import describe_released, released_image_size
from yolact_pl.tasks.agreement import anchors_on_command_line, check_agreement, named_on_command_line


def with_released_config(cfg: DictConfig, state: Mapping[str, Tensor], path: Path) -> tuple[DictConfig, int]:
    """The run's config with the network that a file's weights are of, and its number of classes.

    Args:
        cfg: as Hydra composed it.
        state: weights under their published names.
        path: their file.

    Raises:
        CheckpointError: not a released network, or not the one that the command line names.
    """
    named = named_on_command_line()
    size = cfg.image_size if named & {"image_size", "experiment"} else released_image_size(path)
    plain_size = size if isinstance(size, int) else list(size)
    tree = describe_released(state, source=path, image_size=plain_size)
    check_agreement(cfg, tree, path)
    tree["anchors"] |= anchors_on_command_line(cfg)
    num_classes = tree.pop("num_classes")
    merged = cfg.copy()
    with open_dict(merged):
        merged.image_size = plain_size
        merged.backbone = tree["backbone"]
        merged.model.network = tree
    return merged, num_classes
