"""Classes of a checkpoint and of a data set, matched by name."""

import logging
from collections.abc import Callable, Sequence

from omegaconf import DictConfig

from yolact_pl.checkpoints.description import CheckpointError
from yolact_pl.data.datamodule import CocoDataModule

_log = logging.getLogger(__name__)
_SHOWN = 5


def data_with_classes(
    cfg: DictConfig,
    build_data: Callable[[DictConfig], CocoDataModule],
    data: CocoDataModule,
    class_names: Sequence[str],
    origin: str,
) -> CocoDataModule:
    """A data set whose labels count the classes in the order of a checkpoint.

    Args:
        cfg: of the run; `dataset.classes` is set where the order differs.
        build_data: makes the data set of a config.
        data: that of `cfg`, with its classes in any order.
        class_names: of the checkpoint.
        origin: key and file of the checkpoint, for messages.

    Raises:
        CheckpointError: a class is only in one of them.
    """
    if list(data.classes) == list(class_names):
        return data
    if sorted(data.classes) != sorted(class_names) or "classes" not in cfg.dataset:
        only = [name for name in class_names if name not in data.classes]
        new = [name for name in data.classes if name not in class_names]
        raise CheckpointError(
            f"{origin}: knows {len(class_names)} classes, the data set has {len(data.classes)}"
            f"{_named('; only the checkpoint', only)}{_named('; only the data set', new)}; give the data set "
            "that it was trained for, or train a network for these classes with init=<checkpoint>"
        )
    _log.warning("%s: the data set has the same classes in another order; matched by name", origin)
    cfg.dataset.classes = list(class_names)
    return build_data(cfg)


def _named(who: str, names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _SHOWN else ""
    return f"{who} has {', '.join(names[:_SHOWN])}{more}" if names else ""
