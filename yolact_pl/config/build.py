"""From config to objects, in one place."""

import logging
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.checkpoints.description import Description, without_weights
from yolact_pl.checkpoints.published import fetch, is_published
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.images.depth import ValueRange
from yolact_pl.images.placement import STRETCH
from yolact_pl.models.backbones.resnet import ResNet
from yolact_pl.models.network import YolactNetwork
from yolact_pl.models.weight_files import INSTEAD_OF_FETCHING

_log = logging.getLogger(__name__)
AUTO = "auto"
FORMER_WEIGHTS = {"true": "imagenet", "false": None}
"""Values of `backbone.pretrained`, as `backbone.weights` was called for timm's backbones."""


def build(node: DictConfig, **arguments: Any) -> Any:
    """Instantiate a node with plain containers. A ValueError of a constructor comes through as it was raised.

    Raises:
        ValueError: from the constructor.
    """
    try:
        return instantiate(node, _convert_="all", **arguments)
    except InstantiationException as error:
        if isinstance(error.__cause__, ValueError):
            raise error.__cause__ from None
        if isinstance(error.__cause__, TypeError):
            raise ValueError(f"{node.get('_target_')}: {error.__cause__}") from error
        raise


def build_network(cfg: DictConfig, num_classes: int, *, pretrained: bool = True) -> YolactNetwork:
    """The network of `cfg.model.network` for so many classes.

    Args:
        cfg: `backbone.weights` may also be a published name (`checkpoints/published.py`).
        num_classes: background not counted.
        pretrained: False if weights for the whole network follow, so that the backbone's need not be fetched.

    Raises:
        ValueError: weights that cannot be fetched or do not fit, or arguments that a constructor refuses.
    """
    backbone = cfg.model.network.backbone
    weights = backbone.get("weights")
    weights = FORMER_WEIGHTS.get(weights, weights)
    if not pretrained:
        weights = None
    elif weights is not None and is_published(weights):
        weights = str(fetch(weights, otherwise=INSTEAD_OF_FETCHING))
    if "deformable" in backbone and backbone._target_ != f"{ResNet.__module__}.{ResNet.__name__}":
        raise ValueError(
            f"backbone.deformable={backbone.deformable} (of model=yolact_plus): {backbone._target_} has no "
            "deformable convolutions; choose backbone=r50 or r101 (or r10, r18, r34), or model=yolact"
        )
    return build(cfg.model.network, num_classes=num_classes, backbone={"weights": weights})


def describe(cfg: DictConfig, data: CocoDataModule) -> Description:
    """What a checkpoint of this run says of itself."""
    network = OmegaConf.to_container(cfg.model.network, resolve=True)
    assert isinstance(network, dict)
    tree: dict[str, Any] = {str(key): value for key, value in network.items()} | {
        "num_classes": data.num_classes
    }
    tree["backbone"] = without_weights(tree["backbone"])  # the checkpoint has its own
    config = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(config, dict)
    decoder: Any = config["model"]["decoder"]
    if data.value_range is not None:
        config["dataset"]["value_range"] = list(data.value_range)
    return Description(
        network=tree,
        decoder=decoder,
        class_names=list(data.classes),
        category_ids=list(data.category_ids),
        image_size=list(image_size(cfg)),
        resize=resize_mode(cfg),
        config={str(key): value for key, value in config.items()},
    )


def image_size(cfg: DictConfig) -> tuple[int, int]:
    """(height, width) of the network's input."""
    size = cfg.image_size
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def settle_image_size(cfg: DictConfig, data: CocoDataModule) -> None:
    """Put what `image_size: auto` is for a data set into the config, for all that is built of it; say it."""
    if cfg.image_size == AUTO:
        cfg.image_size = data.suited_size.side
        rank_zero_only(_log.info)(
            "image_size %d: %s; image_size=... overrides", cfg.image_size, data.suited_size
        )


def resize_mode(cfg: DictConfig) -> str:
    """How pictures are placed on the network's input; configs of older checkpoints do not say."""
    return cfg.get("resize", STRETCH)


def stored_value_range(cfg: DictConfig) -> ValueRange | None:
    """Of images with more than 8 bits, see `read_image`; only in configs of checkpoints that saw such."""
    values = cfg.dataset.get("value_range")
    return None if values is None else ValueRange(*values)
