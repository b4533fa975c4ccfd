"""task=find_lr"""

import torch
from omegaconf import DictConfig

from yolact_pl.config.build import AUTO, settle_image_size
from yolact_pl.config.missing_data import check_data
from yolact_pl.training.fine_tune import network_to_train
from yolact_pl.training.training_data import training_data
from yolact_pl.training.tuning import find_batch_size, find_learning_rate


def run(cfg: DictConfig) -> float:
    """Try rising learning rates on the network and data of `task=train`, and give the `schedule.lr` to use.

    Raises:
        ValueError: data or weights that can't be trained on, or a loss that falls at no rate.
    """
    data = training_data(cfg)
    check_data(data, cfg, "fit")
    settle_image_size(cfg, data)
    torch.manual_seed(cfg.seed)
    network = network_to_train(cfg, data.classes)
    if cfg.dataset.batch_size == AUTO:
        data.batch_size = find_batch_size(cfg, data, network)
    return find_learning_rate(cfg, data, network)
