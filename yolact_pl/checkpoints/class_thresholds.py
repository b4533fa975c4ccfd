"""The best minimum score of each class, kept in a checkpoint beside the weights."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from yolact_pl.checkpoints.description import ENTRY, CheckpointError, describes_itself
from yolact_pl.models.weight_files import read_content

KEY = "class_thresholds"


def class_thresholds(content: Mapping[str, Any], origin: str | Path) -> tuple[float, ...] | None:
    """Those of a checkpoint's content by label; None if it has none.

    Raises:
        CheckpointError: they are not one number of 0 to 1 for each class.
    """
    thresholds = content.get(KEY)
    if thresholds is None:
        return None
    count = len(content[ENTRY]["class_names"])
    usable = isinstance(thresholds, list) and len(thresholds) == count
    if not usable or not all(isinstance(value, float) and 0 <= value < 1 for value in thresholds):
        raise CheckpointError(
            f"checkpoint {origin}: its {KEY} are not one number of at least 0 and below 1 for each of the "
            f"{count} classes; write it again with task=eval save_thresholds=true"
        )
    return tuple(thresholds)


def write_with_thresholds(source: Path, target: Path, thresholds: Sequence[float]) -> None:
    """Write a copy of a checkpoint with thresholds, whole or not at all.

    Args:
        source: a checkpoint of this project.
        target: where to.
        thresholds: by label.

    Raises:
        CheckpointError: the file is not one of this project; it cannot be written.
    """
    content = dict(read_content(source))
    if not describes_itself(content):
        raise CheckpointError(
            f"save_thresholds: {source} holds released weights only, which have no place for thresholds; "
            "give a checkpoint of this project"
        )
    content[KEY] = [float(value) for value in thresholds]
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, partial)
        partial.replace(target)
    except (OSError, RuntimeError) as error:  # torch's own where the disk is full
        raise CheckpointError(f"{target} cannot be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
