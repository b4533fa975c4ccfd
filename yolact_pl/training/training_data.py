"""Training data as the config asks for it."""

from omegaconf import DictConfig

from yolact_pl.config.build import AUTO, build
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.training.tuning import FIRST_BATCH_SIZE


def training_data(cfg: DictConfig) -> CocoDataModule:
    """The data module of `cfg.dataset`, with a small batch size where that is still to be found.

    `validate_on_training_images` (`debug=overfit`) measures on the images that are learned.

    Raises:
        ValueError: arguments that the data module does not take.
    """
    small = {"batch_size": FIRST_BATCH_SIZE} if cfg.dataset.batch_size == AUTO else {}
    data: CocoDataModule = build(cfg.dataset, **small)
    if cfg.get("validate_on_training_images"):
        data.sources.wanted_fraction = None
        data.sources.files["val"] = data.sources.files["train"]
    return data
