"""Mistakes in the data that a training does not stop at, told when it starts."""

import logging
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.cli.typed_command import typed_command
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.doctor.quick import quick_check

_log = logging.getLogger(__name__)


@rank_zero_only
def warn_of_mistakes(data: CocoDataModule) -> None:
    """Log what the quick check finds in the files that a training has read, and how to see all of it."""
    if not data.has_validation:
        _log.warning(
            "warning: there is no validation set, so no AP and no best checkpoint; dataset.val_fraction=0.1 "
            "validates with a tenth of the training images"
        )
    files = data.sources.files
    splits = [split for split in ("train", "val") if split in files]
    if len(splits) == 2 and files["train"][0] == files["val"][0]:
        splits.pop()  # validated on the training images, on purpose
    sets = [(data.sources.annotations(split), data.sources.folder(split)) for split in splits]
    sentences = quick_check(sets)
    for sentence in sentences:
        _log.warning("warning: %s", sentence)
    if sentences:
        overrides: dict[str, str | Path | float] = {"task": "check_data", "dataset": "coco_custom"}
        for split, (annotations, folder) in zip(splits, sets, strict=True):
            overrides[f"dataset.{split}_json"] = annotations.path
            overrides[f"dataset.{split}_images"] = folder
        _log.warning("to see all of it:\n\n    %s\n", typed_command(overrides))
