"""The launcher of sweeps, where Hydra looks for plugins: it takes launchers from no other package.

Imported at every start: nothing heavy at the top.
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import CompactHydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from yolact_pl.cli.typed_overrides import quoted
from yolact_pl.sweeps.job import OUTPUT, Job, JobResult

_log = logging.getLogger(__name__)
_OF_THE_SWEEP = (
    "hydra.sweep",
    "hydra/sweep",
    "hydra.launcher",
    "hydra/launcher",
    "hydra.run.dir",
    "hydra.mode",
)
"""Overrides that a job of the sweep must not see."""


class ProcessLauncher(Launcher):
    """Starts this program anew for each job, without `-m`, in the job's folder below the sweep's.

    A job therefore may start processes of its own, and leaves nothing behind for the next one. The result of
    a failed job is None: the others go on.

    Args:
        devices_per_job: GPUs dealt to each job; None: every job sees all.
        parallel_jobs: jobs at a time; None: as many as the dealt GPUs allow, or else one.
        grace_seconds: for a job to save what it has when the sweep is stopped.
    """

    def __init__(
        self,
        *,
        devices_per_job: int | None = None,
        parallel_jobs: int | None = None,
        grace_seconds: float = 120,
    ) -> None:
        super().__init__()
        self.devices_per_job = devices_per_job
        self.parallel_jobs = parallel_jobs
        self.grace_seconds = grace_seconds
        self._places: list[str | None] = []

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context = hydra_context
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from yolact_pl.cli.sweep_report import report
        from yolact_pl.sweeps.launcher import SweepStopped, run_jobs
        from yolact_pl.sweeps.table import update_csv

        jobs = [self._job(list(one), initial_job_idx + index) for index, one in enumerate(job_overrides)]
        if len({job.folder for job in jobs}) < len(jobs):
            raise CompactHydraException(
                f"hydra.sweep.subdir={self.config.hydra.sweep.subdir}: gives two jobs the same folder; "
                "use ${hydra.job.num} in it"
            )
        if not self._places:
            self._places = self._deal()
            _log.info("sweep in %s, jobs at a time: %d; each prints to %s in its folder",
                      self.config.hydra.sweep.dir, len(self._places), OUTPUT)  # fmt: skip
        finished: list[JobResult] = []

        def ended(result: JobResult) -> None:
            finished.append(result)
            update_csv(Path(self.config.hydra.sweep.dir))
            own = [o for o in result.overrides if o not in _as_typed(self.config.hydra.overrides.task)]
            _log.info("%d/%d  %s", len(finished), len(jobs), _line(result, " ".join(own)))

        try:
            results = run_jobs(jobs, places=self._places, grace_seconds=self.grace_seconds, ended=ended)
        except SweepStopped as stop:
            report(Path(self.config.hydra.sweep.dir))
            _log.info(
                "%s; %d jobs had not ended", stop, len(jobs) - sum(r.status != "stopped" for r in finished)
            )
            raise SystemExit(128 + stop.number) from None
        return [
            JobReturn(overrides=r.overrides, status=JobStatus.COMPLETED, _return_value=r.objective)
            for r in results
        ]

    def _deal(self) -> list[str | None]:
        from yolact_pl.sweeps.devices import deal, visible_devices

        try:
            return deal(
                visible_devices() if self.devices_per_job else [],
                devices_per_job=self.devices_per_job,
                parallel_jobs=self.parallel_jobs,
            )
        except ValueError as error:
            raise CompactHydraException(f"error: {error}") from None

    def _job(self, overrides: list[str], number: int) -> Job:
        config = self.hydra_context.config_loader.load_sweep_config(self.config, overrides)
        with open_dict(config):
            config.hydra.job.num = number
        # One folder for the sweep, also where a swept group gives each job another name.
        folder = Path(self.config.hydra.sweep.dir) / config.hydra.sweep.subdir
        hydra = _as_typed(self.config.hydra.overrides.hydra)
        kept = [o for o in hydra if not o.lstrip("+~").startswith(_OF_THE_SWEEP)]
        arguments = [*_config_options(self.config), *kept, *overrides]
        arguments += [f"hydra.job.num={number}", f"hydra.run.dir={quoted(str(folder))}"]
        return Job(number, overrides, [*_program(), *arguments], folder)


def _as_typed(overrides: ListConfig) -> list[str]:
    """Without looking up the `${...}` in them."""
    return cast("list[str]", OmegaConf.to_container(overrides, resolve=False))


def _line(result: JobResult, own: str) -> str:
    from yolact_pl.sweeps.table import duration

    value = "" if result.objective is None else f", objective {result.objective:.4f}"
    error = f"  {result.error}" if result.status == "failed" else ""
    return f"#{result.number} {result.status} after {duration(result.seconds)}{value}  {own}{error}"


def _program() -> list[str]:
    """How this process was started: by a script (`run.py`, the installed `yolact`) or as a module."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None:
        return [sys.executable, "-m", spec.name.removesuffix(".__main__")]
    return [sys.executable, str(Path(sys.argv[0]).absolute())]


def _config_options(config: DictConfig) -> list[str]:
    """Hydra's options for the place of the config, as the sweep's command line had them."""
    name = config.hydra.job.config_name
    folders = [s.path for s in config.hydra.runtime.config_sources if s.provider == "command-line"]
    return [
        *([] if name == "config" else [f"--config-name={name}"]),
        *(f"--config-dir={folder}" for folder in folders),
    ]
