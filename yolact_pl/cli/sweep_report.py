"""Results of a sweep: a record per job, and a table at the end."""

import logging
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from yolact_pl.cli.typed_command import command_line
from yolact_pl.cli.typed_overrides import quoted
from yolact_pl.sweeps.job import JobResult, finite, write_result
from yolact_pl.sweeps.table import CSV, best_first, table, update_csv
from yolact_pl.sweeps.trial import is_bad, told_address

_log = logging.getLogger(__name__)
MOST_COMPARED = 4


class SweepReport(Callback):
    """Hydra calls it at the start and end of every run and every sweep; outside of sweeps it does nothing.

    A sweep with a failed job ends with exit code 1.
    """

    def __init__(self) -> None:
        self._started = time.time()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        HydraConfig.instance().set_config(config)  # Hydra does so for jobs only, but ${name} may need it
        for kind in ("launcher", "sweeper"):
            target = config.hydra[kind]._target_
            if target not in Plugins.instance().class_name_to_class:
                _log.error("error: %s: the Hydra plugin of this %s is not installed", target, kind)
                raise SystemExit(1)

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._started = time.time()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        if OmegaConf.is_missing(config.hydra.job, "num") or not _is_first_process():
            return
        done = job_return.status == JobStatus.COMPLETED
        write_result(
            JobResult(
                number=config.hydra.job.num,
                overrides=OmegaConf.to_container(config.hydra.overrides.task, resolve=False),  # type: ignore[arg-type]
                status="done" if done else "failed",
                objective=finite(job_return.return_value) if done else None,
                seconds=time.time() - self._started,
                ended=time.time(),
                folder=config.hydra.runtime.output_dir,
                error="" if done else str(job_return._return_value),
            )
        )

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        failed = [r for r in report(Path(config.hydra.sweep.dir)) if r.status == "failed"]
        now_failed = [r for r in failed if r.ended >= self._started]
        for result in now_failed:
            _log.error("job %d failed: %s (%s)", result.number, result.error, result.folder)
        if now_failed:  # not an Exception: Hydra would only warn of it
            raise SystemExit(1)


def report(folder: Path) -> list[JobResult]:
    """Show the table of the jobs in a sweep's folder, write it there as csv, and return them."""
    results = update_csv(folder) if folder.is_dir() else []
    if results:
        _log.info("\n\n%s\n\nthis table: %s\n", table(results), folder / CSV)
        reported = [one.folder for one in best_first(results) if (Path(one.folder) / "report.json").is_file()]
        if len(reported) > 1:
            runs = ",".join(map(quoted, reported[:MOST_COMPARED]))
            _log.info("the best ones side by side: %s\n", command_line(["task=compare", f"runs=[{runs}]"]))
    return results


def running_trial() -> Callable[[float, int], bool] | None:
    """For the job of a search: what reports a value at a step and says whether to end the trial there."""
    job, address = HydraConfig.get().job, told_address()
    if address is None or OmegaConf.is_missing(job, "num"):
        return None
    return partial(is_bad, address, job.num)


def _is_first_process() -> bool:
    """Of all that work on this job: told by torchrun, Lightning or SLURM to each process that they start."""
    ranks = [os.environ[name] for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID") if name in os.environ]
    return not ranks or ranks[0] == "0"
