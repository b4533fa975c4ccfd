"""Reports of earlier evaluations, found and read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from yolact_pl.download.record import sha256_of
from yolact_pl.evaluation.analysis.bootstrap import RankedSet
from yolact_pl.report.numbers import FILE_NAME, FORMAT_VERSION, KINDS
from yolact_pl.report.packed_arrays import unpack

_KEYS = ("ap", "classes", "errors", "scores", "images", "ranking")


class Report(NamedTuple):
    """A `report.json`."""

    name: str
    """As the user named the run."""
    path: Path
    numbers: Mapping[str, Any]
    """See `report_numbers`."""
    rankings: Mapping[str, RankedSet]
    """By "mask" and "box"."""

    @property
    def measured(self) -> Mapping[str, Any]:
        """What was measured, and how."""
        return self.numbers["measured"]

    @property
    def class_names(self) -> list[str]:
        """By label."""
        return [row["name"] for row in self.numbers["classes"]]


def find_report(run: str) -> Path:
    """The `report.json` of a run's folder, or of a checkpoint in one.

    A checkpoint's is in its run's folder or in another one of the same name, and says its sha256.

    Args:
        run: a folder, a checkpoint, or the `report.json` itself.

    Raises:
        ValueError: there is none; says the command that writes it.
    """
    path = Path(run)
    if path.name == FILE_NAME and path.is_file():
        return path
    if path.is_dir():
        if (path / FILE_NAME).is_file():
            return path / FILE_NAME
        checkpoints = [file for file in path.glob("checkpoints/*.ckpt") if not file.stem.startswith("last")]
        newest = max(checkpoints, key=lambda file: file.stat().st_mtime, default=path / "checkpoints/FILE")
        raise ValueError(_missing(run, newest))
    if not path.is_file():
        raise ValueError(f"runs: {run} does not exist; give folders of runs, or checkpoints")
    digest = sha256_of(path)
    folders = [path.absolute().parent, *path.absolute().parents[1:2]]
    candidates = [folder / FILE_NAME for folder in folders]
    candidates += path.absolute().parents[min(2, len(path.absolute().parents) - 1)].glob(f"*/{FILE_NAME}")
    reports = [one for one in candidates if one.is_file() and _checkpoint_of(one) == digest]
    if not reports:
        raise ValueError(_missing(run, path))
    return max(reports, key=lambda one: one.stat().st_mtime)


def read_report(name: str, path: Path) -> Report:
    """Read and check.

    Args:
        name: of the run.
        path: of the json.

    Raises:
        ValueError: it is no report of this version, or of a set without ground truth.
    """
    try:
        numbers = json.loads(path.read_text(encoding="utf-8"))
        version = numbers["format_version"]
        measured = numbers["measured"]
        assert isinstance(measured, dict)
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise ValueError(f"{path} is no report of an evaluation; {_HOW}") from error
    if version != FORMAT_VERSION:
        raise ValueError(f"{path} has format {version}, this program reads {FORMAT_VERSION}; {_HOW}")
    if "ap" not in numbers:
        raise ValueError(f"{path} was measured without ground truth, so that there is nothing to compare")
    try:
        missing = [key for key in _KEYS if key not in numbers]
        if missing:
            raise KeyError(missing[0])
        rankings = {kind: _ranking(numbers, kind) for kind in KINDS}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); {_HOW}") from error
    return Report(name, path, numbers, rankings)


_HOW = "write it again: python run.py task=eval checkpoint=FILE report=true"


def _ranking(numbers: Mapping[str, Any], kind: str) -> RankedSet:
    packed = numbers["ranking"][kind]
    ranked = RankedSet(**{name: unpack(packed[name]) for name in RankedSet._fields})
    num_images, num_classes = len(numbers["images"]["ids"]), len(numbers["classes"])
    sound = (
        len(ranked.class_sizes) == num_classes
        and ranked.class_sizes.sum() == len(ranked.images) == len(ranked.right) == len(ranked.ignored)
        and len(ranked.true_images) == len(ranked.true_labels)
        and all(part.max(initial=0) < max(num_images, 1) for part in (ranked.images, ranked.true_images))
        and ranked.true_labels.max(initial=0) < max(num_classes, 1)
    )
    if not sound:
        raise ValueError(f"its ranking of {kind} does not fit its images and classes")
    return ranked


def _checkpoint_of(path: Path) -> str | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))["measured"]["checkpoint_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _missing(run: str, checkpoint: Path) -> str:
    return (
        f"runs: there is no {FILE_NAME} of {run}; write one: "
        f"python run.py task=eval checkpoint={checkpoint} report=true"
    )
