"""task=check_data"""

import csv
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from yolact_pl.atomic_file import atomic_file
from yolact_pl.cli.typed_command import typed_command
from yolact_pl.config.build import build
from yolact_pl.config.missing_data import how_to_fetch
from yolact_pl.config.switches import check_switches
from yolact_pl.data.annotations.coco_json import DataError
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.data.shapes import ShapesDataModule
from yolact_pl.doctor.coco_set import SetPaths
from yolact_pl.doctor.examination import Examination, examine
from yolact_pl.doctor.findings import count_kinds
from yolact_pl.doctor.fixing.draft import Change
from yolact_pl.doctor.fixing.fix import Fixer
from yolact_pl.doctor.image_facts import ImageFacts
from yolact_pl.doctor.kinds import Kind, Severity
from yolact_pl.doctor.report.page import page
from yolact_pl.doctor.report.places import write_csv
from yolact_pl.doctor.report.text_report import finding_table, text_report, verdict

_log = logging.getLogger(__name__)
_FAILING = {
    "error": (Severity.ERROR,),
    "warning": (Severity.ERROR, Severity.WARNING),
    "never": (),
}
_MAX_CHANGES = 10


def run(cfg: DictConfig) -> None:
    """Look for mistakes in the data set of `cfg.dataset`, and report all of them.

    Writes `check_data.html` and `findings.csv` to the output; with `cfg.fix` also a corrected copy of each
    annotation file that needs one, and `changes.csv`.

    Raises:
        ValueError: findings as bad as `task.fail_on` are there, with `cfg.fix` in the corrected copies; no
            annotation file or a wrong option is given.
    """
    _check_options(cfg)
    output = Path(cfg.output)
    sets = _sets(cfg)
    output.mkdir(parents=True, exist_ok=True)
    opened: dict[Path, ImageFacts] | None = {} if cfg.task.images else None
    examination = left = examine(sets, opened=opened)
    fixer = Fixer(examination, most=cfg.fix_most)
    corrected = fixer.corrected_kinds()
    _log.info("%s", text_report(examination, corrected))
    write_csv(output / "findings.csv", examination)
    changes: list[Change] = []
    if cfg.fix:
        for sentence in fixer.withheld():
            _log.warning("\n%s", sentence)
        changes, left = fixer.write(output, opened=opened)
        _tell_changes(changes, left, output)
    html = page(examination, corrected, changes, left, examples=cfg.task.examples, pictures=cfg.task.images)
    with atomic_file(output / "check_data.html") as file:
        file.write(html)
    _log.info(
        "\npictures of it in %s, every finding in %s", output / "check_data.html", output / "findings.csv"
    )
    _fail(left, _FAILING[cfg.task.fail_on], output, corrected=set() if cfg.fix else corrected, fixed=cfg.fix)


def _check_options(cfg: DictConfig) -> None:
    if cfg.task.fail_on not in _FAILING:
        raise ValueError(f"task.fail_on={cfg.task.fail_on}: expected {', '.join(_FAILING)}")
    if type(cfg.task.examples) is not int or cfg.task.examples < 0:
        raise ValueError(f"task.examples={cfg.task.examples}: expected 0 or more pictures")
    check_switches(cfg, "fix", "fix_most", "task.images")


def _sets(cfg: DictConfig) -> list[SetPaths]:
    """What the config gives."""
    advice = how_to_fetch(cfg, "fit")
    if advice is not None:
        raise DataError(advice)
    data: CocoDataModule = build(cfg.dataset, batch_size=1)  # nothing here depends on what a training has
    if isinstance(data, ShapesDataModule):
        data.check("fit")  # draws them
    files = data.sources.files
    if not files:
        raise ValueError(
            "task=check_data needs dataset.train_json or dataset.val_json, or dataset.root; give a COCO json "
            "file or the folder of a whole set"
        )
    sets = [SetPaths(split, *files[split]) for split in ("train", "val") if split in files]
    same = len(sets) == 2 and sets[0].json == sets[1].json  # validated on the training images, on purpose
    return sets[:1] if same else sets


def _tell_changes(changes: Sequence[Change], left: Examination, output: Path) -> None:
    """Say on screen how much was changed where and what is left; all changes are in `changes.csv`."""
    if not changes:
        _log.info("\nnothing was changed: there is nothing that can be corrected without a decision")
        return
    with atomic_file(output / "changes.csv") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["corrected_copy", "entry", "change"])
        writer.writerows([change.path, change.entry, change.what] for change in changes)
    for path, count in Counter(change.path for change in changes).items():
        shown = [f"{change.entry}: {change.what}" for change in changes if change.path == path][:_MAX_CHANGES]
        more = "\n  ..." if count > len(shown) else ""
        noun = "change" if count == 1 else "changes"
        _log.info("\n%s has %d %s\n  %s%s", path, count, noun, "\n  ".join(shown), more)
    _log.info("\nevery change in %s; what is left:\n%s", output / "changes.csv", finding_table(left))
    overrides: dict[str, str | Path | float] = {"experiment": "own_data"}
    for coco_set in (part.coco_set for part in left.sets):
        overrides[f"dataset.{coco_set.split}_json"] = coco_set.path
        if coco_set.folder is not None:
            overrides[f"dataset.{coco_set.split}_images"] = coco_set.folder
    _log.info("\ntrain on it with\n\n    %s", typed_command(overrides))


def _fail(
    examination: Examination,
    severities: tuple[Severity, ...],
    output: Path,
    *,
    corrected: set[Kind],
    fixed: bool,
) -> None:
    kinds = [kind for kind in count_kinds(examination.findings) if kind.severity in severities]
    if not kinds:
        return
    named = ", ".join(kind.slug for kind in kinds[:5]) + (", ..." if len(kinds) > 5 else "")
    has = "still has" if fixed else "has"
    fixable = corrected.intersection(kinds)
    advice = "correct these by hand"
    if fixable:
        advice = "correct them, or let fix=true do it" + (
            "" if fixable == set(kinds) else " as far as it can"
        )
    raise ValueError(
        f"the data {has} {verdict(examination)} ({named}); see {output / 'check_data.html'} and {advice}."
    )
