"""task=download"""

import importlib.util
import json
import logging
from pathlib import Path

from omegaconf import DictConfig

from yolact_pl.atomic_file import atomic_file
from yolact_pl.cli.progress_bar import progress_bar
from yolact_pl.convert.coco import to_coco
from yolact_pl.convert.sbd import read_sbd
from yolact_pl.download.data_set import download_set
from yolact_pl.download.published import PUBLISHED_SETS, PublishedSet

_log = logging.getLogger(__name__)


def run(cfg: DictConfig) -> None:
    """Fetch the published data set that `dataset=...` names, to where its config looks for it.

    Raises:
        ValueError: no published set has this name, or it cannot be fetched.
    """
    name, data_dir = cfg.task.name, Path(cfg.data_dir)
    published = PUBLISHED_SETS.get(name)
    if published is None:
        raise ValueError(
            f"dataset={name} cannot be fetched; the published sets are {', '.join(PUBLISHED_SETS)}"
        )
    if published.converted and importlib.util.find_spec("scipy") is None:  # told before a gigabyte is fetched
        raise ValueError(f"dataset={name} comes as .mat files; to read them: pip install scipy")
    download_set(published, data_dir, keep_archives=cfg.task.keep_archives)
    _convert_sbd(published, data_dir)
    _log.info("%s is in %s; train on it or measure with dataset=%s", name, data_dir, name)


def _convert_sbd(published: PublishedSet, data_dir: Path) -> None:
    """Make the annotation files of SBD, of which only .mat files are published."""
    paths = [data_dir / path for path in published.converted]
    if all(path.exists() for path in paths):
        return
    labeled = read_sbd(paths[0].parent)
    with progress_bar(sum(split.num_images for split in labeled.splits), "image") as bar:
        contents = to_coco(labeled, on_image=bar.update).contents
    for path in paths:
        with atomic_file(path) as file:
            json.dump(contents[path.stem.rpartition("_")[2]], file)
