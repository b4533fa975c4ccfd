"""The config that belongs to a released `.pth`, which holds weights and nothing else."""

from omegaconf import DictConfig, open_dict

from yolact_pl.checkpoints.stored import StoredNetwork, at_image_size
from yolact_pl.config.agreement import anchors_on_command_line, check_agreement, named_on_command_line


def with_released_config(cfg: DictConfig, stored: StoredNetwork) -> DictConfig:
    """The run's config with the network that a file's weights are of.

    Args:
        cfg: as Hydra composed it.
        stored: released weights.

    Raises:
        CheckpointError: not the network that the command line names.
    """
    named = named_on_command_line()
    size = cfg.image_size if named & {"image_size", "experiment"} else stored.image_size[0]
    plain_size = size if isinstance(size, int) else list(size)
    tree = at_image_size(stored.tree, plain_size)
    check_agreement(cfg, tree, stored.path)
    tree["anchors"] |= anchors_on_command_line(cfg)
    del tree["num_classes"]
    merged = cfg.copy()
    with open_dict(merged):
        merged.image_size = plain_size
        merged.backbone = tree["backbone"]
        merged.model.network = tree
    return merged
