"""A published data set that was not fetched yet is told with the command that fetches it."""

from pathlib import Path

from omegaconf import DictConfig

from yolact_pl.cli.typed_command import typed_command
from yolact_pl.data.annotations.annotations import DataError
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.download.published import set_that_has

_KEYS = {
    "fit": ("train_json", "train_images", "val_json", "val_images"),
    "validate": ("val_json", "val_images"),
}


def check_data(data: CocoDataModule, cfg: DictConfig, stage: str) -> None:
    """Read and check what a stage needs, see `CocoDataModule.check`.

    Args:
        data: of `cfg.dataset`.
        cfg: where the files should be.
        stage: `fit` or `validate`.

    Raises:
        DataError: what is wrong with the files, or how to get those that are missing.
    """
    try:
        data.check(stage)
    except DataError as error:
        advice = how_to_fetch(cfg, stage)
        if advice is None:
            raise
        raise DataError(advice) from error


def how_to_fetch(cfg: DictConfig, stage: str) -> str | None:
    """The sentence that tells the command, if a stage needs a published data set that is not there."""
    missing = _missing_of_published(cfg, stage)
    if missing is None:
        return None
    path, name = missing
    overrides: dict[str, str | Path | float] = {"task": "download", "dataset": name}
    if cfg.data_dir != "data":
        overrides["data_dir"] = cfg.data_dir
    return (
        f"{path} does not exist; fetch the data set with `{typed_command(overrides)}`, or give the paths "
        "of your own one."
    )


def _missing_of_published(cfg: DictConfig, stage: str) -> tuple[Path, str] | None:
    """The first path that does not exist but would after a download, and the name of the set."""
    for key in _KEYS[stage]:
        path = cfg.dataset.get(key)
        if path is not None and not Path(path).exists():
            name = set_that_has(Path(path), Path(cfg.data_dir))
            if name is not None:
                return Path(path), name
    return None
