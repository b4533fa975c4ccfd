"""All metrics of a run in one csv file, also when it was stopped in between."""

import csv
import logging
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.csv_logs import _ExperimentWriter
from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter

_log = logging.getLogger(__name__)


class ContinuedCsvLogger(CSVLogger):
    """Lightning's CSVLogger, but a resumed run goes on in the file that is there.

    Rows of the step that it logs first, and of later ones, were made behind the checkpoint that it goes on
    from, and are replaced. That the file cannot be written does not end the run.
    """

    @property
    @rank_zero_experiment
    def experiment(self) -> _ExperimentWriter:
        """Takes the rows."""
        if self._experiment is None:
            self._experiment = _ContinuedFile(self.log_dir)
        return self._experiment


class _ContinuedFile(ExperimentWriter):
    def __init__(self, log_dir: str) -> None:
        super().__init__(log_dir)
        self._path = Path(self.metrics_file_path)
        self._columns: set[str] = set()
        self._rows: int | None = None
        """How many the file has; None before this run's first."""
        self._failed = False

    def _check_log_dir_exists(self) -> None:
        """Not Lightning's, which deletes the file."""

    def save(self) -> None:
        if not self.metrics:
            return
        try:
            if self._rows is None or self._failed or not self._columns.issuperset(set().union(*self.metrics)):
                self._rewrite()
            else:
                with self._path.open("a", newline="") as file:
                    csv.DictWriter(file, sorted(self._columns)).writerows(self.metrics)
                self._rows += len(self.metrics)
        except OSError as error:  # the rows are kept for the next time
            if not self._failed:
                _log.warning("%s cannot be written (%s); training goes on", self._path, error.strerror)
            self._failed = True
            return
        self.metrics = []
        self._failed = False

    def _rewrite(self) -> None:
        """Write all rows under a new header: those that stay and the new ones."""
        rows = [*self._rows_to_keep(), *self.metrics]
        columns = self._columns.union(*rows)
        partial = self._path.with_name(self._path.name + ".partial")
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, sorted(columns))
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(self._path)
        self._columns, self._rows = columns, len(rows)

    def _rows_to_keep(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        with self._path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        if self._rows is not None:  # what comes behind them was cut short
            return rows[: self._rows]
        first = self.metrics[0]["step"]
        complete = [row for row in rows if None not in row and None not in row.values() and row.get("step")]
        return [row for row in complete if float(row["step"]) < first]
