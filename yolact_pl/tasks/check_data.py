"""task=check_data"""

import csv
import logging
from collections import Counter
from pathlib import Path

from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.doctor.draft import Change
from yolact_pl.doctor.examination import Examination, SetFiles, examine
from yolact_pl.doctor.findings import count_kinds
from yolact_pl.doctor.fix import write_corrected
from yolact_pl.doctor.kinds import Severity
from yolact_pl.doctor.page import page
from yolact_pl.doctor.pictures import Picture
from yolact_pl.doctor.places import write_csv
from yolact_pl.doctor.quick import quick_check
from yolact_pl.doctor.text_report import finding_table, text_report, verdict
from yolact_pl.evaluation.report import atomic_file
from yolact_pl.tasks.build import build
from yolact_pl.tasks.typed_command import typed_command

_log = logging.getLogger(__name__)
_FAILING = {
    "error": (Severity.ERROR,),
    "warning": (Severity.ERROR, Severity.WARNING),
    "never": (),
}


def run(cfg: DictConfig) -> None:
    """Look for mistakes in the data set of `cfg.dataset`, and report all of them.

    Writes `check_data.html` and `findings.csv` to the output; with `task.fix` also a corrected copy of each
    annotation file that needs one, and `changes.csv`.

    Raises:
        ValueError: findings as bad as `task.fail_on` are there, with `task.fix` in the corrected copies; no
            annotation file or a wrong option is given.
    """
    if cfg.task.fail_on not in _FAILING:
        raise ValueError(f"task.fail_on={cfg.task.fail_on}: expected {', '.join(_FAILING)}")
    if not isinstance(cfg.task.examples, int) or cfg.task.examples < 0:
        raise ValueError(f"task.examples={cfg.task.examples}: expected 0 or more pictures")
    output = Path(cfg.output)
    files = _files(build(cfg.dataset, batch_size=1))  # whatever a training has: nothing here depends on it
    output.mkdir(parents=True, exist_ok=True)
    known: dict[Path, Picture] | None = {} if cfg.task.images else None
    examination = left = examine(files, known=known)
    _log.info("%s", text_report(examination))
    write_csv(output / "findings.csv", examination)
    changes: list[Change] = []
    if cfg.task.fix:
        changes, left = write_corrected(examination, output, known=known)
        _tell_changes(changes, left, output)
    html = page(examination, changes, left, examples=cfg.task.examples, pictures=cfg.task.images)
    with atomic_file(output / "check_data.html") as file:
        file.write(html)
    _log.info(
        "\nevery finding in %s, with pictures in %s", output / "findings.csv", output / "check_data.html"
    )
    _fail(left, _FAILING[cfg.task.fail_on], output, fixed=cfg.task.fix)


@rank_zero_only
def warn_of_mistakes(data: CocoDataModule) -> None:
    """Log what the quick check finds in the files that a training has read, and how to see all of it."""
    files = data.sources.files
    splits = [split for split in ("train", "val") if split in files]
    if len(splits) == 2 and files["train"][0] == files["val"][0]:
        splits.pop()  # validated on the training images, on purpose
    sentences = quick_check(
        [(data.sources.annotations(split), data.sources.folder(split)) for split in splits]
    )
    for sentence in sentences:
        _log.warning("warning: %s", sentence)
    if sentences:
        overrides: dict[str, str | Path | float] = {"task": "check_data", "dataset": "coco_custom"}
        for split in splits:
            overrides[f"dataset.{split}_json"], overrides[f"dataset.{split}_images"] = (
                files[split][0],
                data.sources.folder(split),
            )
        _log.warning("%s shows all", typed_command(overrides))


def _files(data: CocoDataModule) -> list[SetFiles]:
    """What the config gives."""
    files = data.sources.files
    if not files:
        raise ValueError(
            "task=check_data needs dataset.train_json or dataset.val_json, or dataset.root; give a COCO json "
            "file or the folder of a whole set"
        )
    return [(split, *files[split]) for split in ("train", "val") if split in files]


def _tell_changes(changes: list[Change], left: Examination, output: Path) -> None:
    """Say on screen how much was changed where and what is left; all changes are in `changes.csv`."""
    if not changes:
        _log.info("\nnothing was changed: there is nothing that can be corrected without a decision")
        return
    with atomic_file(output / "changes.csv") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["corrected_copy", "entry", "change"])
        writer.writerows([change.path, change.entry, change.what] for change in changes)
    for path, count in Counter(change.path for change in changes).items():
        shown = [f"{change.entry}: {change.what}" for change in changes if change.path == path][:10]
        more = "\n  ..." if count > len(shown) else ""
        noun = "change" if count == 1 else "changes"
        _log.info("\n%s has %d %s\n  %s%s", path, count, noun, "\n  ".join(shown), more)
    _log.info("\nevery change in %s; what is left:\n%s", output / "changes.csv", finding_table(left))


def _fail(examination: Examination, severities: tuple[Severity, ...], output: Path, *, fixed: bool) -> None:
    kinds = [kind.slug for kind in count_kinds(examination.findings) if kind.severity in severities]
    if not kinds:
        return
    named = ", ".join(kinds[:5]) + (", ..." if len(kinds) > 5 else "")
    still = "still has" if fixed else "has"
    advice = "correct these by hand" if fixed else "correct them, or try task.fix=true"
    raise ValueError(
        f"the data {still} {verdict(examination)} ({named}); see {output / 'check_data.html'} and {advice}."
    )
