"""Published data sets: URLs of archives and targets of their files."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Take:
    """A file or folder of an archive."""

    member: str
    target: str
    """Below the folder of all data."""
    files: int | None = None
    """How many a folder holds."""


@dataclass(frozen=True)
class Archive:
    """One file on a server."""

    url: str
    size: int
    sha256: str
    takes: tuple[Take, ...]


@dataclass(frozen=True)
class PublishedSet:
    """What a choice of the config group `dataset` needs."""

    archives: tuple[Archive, ...]
    converted: tuple[str, ...] = ()
    """Annotation files that are made from what was fetched, below the folder of all data."""


def _images(name: str, files: int, size: int, sha256: str) -> Archive:
    url = f"http://images.cocodataset.org/zips/{name}.zip"
    return Archive(url, size, sha256, (Take(name, f"coco/{name}", files),))


def _annotations(archive: str, size: int, sha256: str, *files: str) -> Archive:
    url = f"http://images.cocodataset.org/annotations/{archive}.zip"
    return Archive(url, size, sha256, tuple(Take(f"annotations/{f}", f"coco/annotations/{f}") for f in files))


_SBD = "benchmark_RELEASE/dataset"

PUBLISHED_SETS = {
    "coco2017": PublishedSet(
        (
            _annotations(
                "annotations_trainval2017",
                252_907_541,
                "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
                "instances_train2017.json",
                "instances_val2017.json",
            ),
            _images(
                "val2017",
                5_000,
                815_585_330,
                "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
            ),
            _images(
                "train2017",
                118_287,
                19_336_861_798,
                "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
            ),
        )
    ),
    "coco2014": PublishedSet(
        (
            _annotations(
                "annotations_trainval2014",
                252_872_794,
                "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
                "instances_train2014.json",
                "instances_val2014.json",
            ),
            _images(
                "val2014",
                40_504,
                6_645_013_297,
                "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
            ),
            _images(
                "train2014",
                82_783,
                13_510_573_713,
                "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
            ),
        )
    ),
    "coco2017_testdev": PublishedSet(
        (
            _annotations(
                "image_info_test2017",
                1_144_034,
                "e52f412dd7195ac8f98d782b44c6dd30ea10241e9f42521f67610fbe055a74f8",
                "image_info_test-dev2017.json",
            ),
            _images(
                "test2017",
                40_670,
                6_646_970_404,
                "c7908c3c9f94ba2f3340ebbeec58c25db6be8774f18d68c2f15d0e369d95baba",
            ),
        )
    ),
    "pascal_sbd": PublishedSet(
        (
            Archive(
                "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
                1_419_539_633,
                "6a5a2918d5c73ce032fdeba876574d150d9d04113ab87540a1304cbcc715be53",
                (
                    Take(f"{_SBD}/img", "sbd/img", 11_355),
                    Take(f"{_SBD}/inst", "sbd/inst", 11_355),
                    Take(f"{_SBD}/train.txt", "sbd/train.txt"),
                    Take(f"{_SBD}/val.txt", "sbd/val.txt"),
                ),
            ),
        ),
        converted=("sbd/pascal_sbd_train.json", "sbd/pascal_sbd_val.json"),
    ),
}
"""By the names of `conf/dataset/`."""


def set_that_has(path: Path, data_dir: Path) -> str | None:
    """The published set that puts a file or folder at this path; None if no set does."""
    for name, published in PUBLISHED_SETS.items():
        targets = [take.target for archive in published.archives for take in archive.takes]
        if path in [data_dir / target for target in (*targets, *published.converted)]:
            return name
    return None
