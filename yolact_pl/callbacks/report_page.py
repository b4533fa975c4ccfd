"""report.html and report.json of a validation."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.atomic_file import atomic_file
from yolact_pl.callbacks.coco_evaluation import CocoEvaluation
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.evaluation.parts.metric import FailedParts
from yolact_pl.report.evaluation_page import Evaluation, evaluation_page
from yolact_pl.report.numbers import report_numbers, write_numbers
from yolact_pl.report.sections.data import SetData
from yolact_pl.report.sections.pictures import ImageSource
from yolact_pl.report.sections.remedies import Setting
from yolact_pl.report.sections.training_run import Curves

_log = logging.getLogger(__name__)
NAME = "report.html"


@dataclass(frozen=True)
class ReportFacts:
    """What the report says beside what is measured."""

    subject: Mapping[str, Any]
    """What is measured: files and their hashes."""
    setting: Setting
    sets: Mapping[str, SetData] = field(default_factory=dict)
    """By "train" and "val"."""
    curves: Curves = field(default_factory=dict)
    """Logged by the training run."""
    changes: Sequence[str] = ()
    """Of the run's config, `key: old -> new`."""


class ReportPage(Callback):
    """Writes `report.html` and `report.json` beside the results of an evaluation, on the first rank.

    Detections whose module gives them their `parts` are sorted by which part of the network failed.

    Args:
        evaluation: that comes before it among the callbacks.
        facts: for the page.
    """

    def __init__(self, evaluation: CocoEvaluation, facts: ReportFacts) -> None:
        self.evaluation = evaluation
        self.facts = facts
        self._parts: FailedParts | None = None
        self._seconds = 0.0

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = _data(trainer)
        self._parts = FailedParts(
            data.val_annotations,
            num_images=data.val_size,
            num_objects=data.num_val_objects,
            sync_on_compute=False,
        )

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        assert self._parts is not None
        detections = outputs["detections"]
        if detections and detections[0].parts is not None:
            start = time.perf_counter()
            self._parts.update(self.evaluation.batch_matches, detections)
            self._seconds += time.perf_counter() - start

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self._parts is not None
        self._parts.sync()
        self._write(trainer, pl_module)
        self._parts.reset()

    @rank_zero_only
    def _write(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self._parts is not None
        evaluation, data = self.evaluation, _data(trainer)
        assert evaluation.matches is not None
        known, matches, metrics = data.val_annotations, evaluation.matches, evaluation.metrics
        measured = {
            **self.facts.subject,
            "images": len(evaluation.results),
            **getattr(pl_module, "measured", {}),
            "seconds_for_parts": round(self._seconds, 1),
        }
        precision = {} if metrics is None else {"mask": metrics.mask, "box": metrics.box}
        if evaluation.boundary is not None:
            precision["boundary"] = evaluation.boundary
        shares = self._parts.summarize(self._parts.rows) if self._parts.rows else None
        index = {image_id: i for i, image_id in enumerate(known.image_ids.tolist())}
        numbers = report_numbers(
            measured=measured,
            matches=matches,
            precision=precision,
            file_names=[known.file_name(index[image_id]) for image_id in matches.image_ids.tolist()],
            shares=shares,
            sets=self.facts.sets,
        )
        write_numbers(numbers, evaluation.folder)
        page = evaluation_page(
            Evaluation(
                measured=measured,
                matches=matches,
                source=ImageSource(
                    annotations=known,
                    folder=data.sources.folder("val"),
                    results={row.image_id: row for row in evaluation.results},
                    report_folder=evaluation.folder,
                    value_range=data.value_range,
                ),
                setting=self.facts.setting,
                precision=precision,
                shares=shares,
                why_no_shares=getattr(pl_module, "why_no_parts", ""),
                sets=self.facts.sets,
                curves=self.facts.curves,
                changes=self.facts.changes,
            )
        )
        path = evaluation.folder / NAME
        with atomic_file(path) as file:
            file.write(page)
        _log.info("\nreport in %s", path)


def _data(trainer: Trainer) -> CocoDataModule:
    data = getattr(trainer, "datamodule", None)
    assert isinstance(data, CocoDataModule)
    return data
