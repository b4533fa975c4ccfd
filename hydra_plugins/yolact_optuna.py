"""A sweeper that lets Optuna choose the values; here because Hydra takes sweepers from no other package.

Hydra's own plugin asks for Optuna 2, whose database no longer opens with SQLAlchemy 2.
Imported at every start: nothing heavy at the top.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.core.plugins import Plugins
from hydra.errors import CompactHydraException
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution  # pyright: ignore[reportMissingImports]

_log = logging.getLogger(__name__)


class OptunaSweeper(Sweeper):
    """Searches for the values with the best objective, in a study that outlives the sweep.

    A trial is a job of the same number. Trials that an earlier sweep has left without an end come first, in
    their folders. The space is `params` and what the command line sweeps over: choices, `range(...)`,
    `interval(...)`, `tag(log, interval(...))`.

    Args:
        storage: URL of the database.
        study_name: in the database.
        n_trials: of the study, those of earlier sweeps included.
        trials_at_once: given to the launcher together.
        n_startup_trials: drawn at random before the estimator starts, and to their end before any is pruned.
        prune: a trial ends early that is below the median of those before it.
        seed: of the draws.
        params: key to sweep, as text.
    """

    def __init__(
        self,
        *,
        storage: str,
        study_name: str,
        n_trials: int,
        trials_at_once: int = 1,
        n_startup_trials: int = 10,
        prune: bool = True,
        seed: int | None = None,
        params: DictConfig | None = None,
    ) -> None:
        self.storage = storage
        self.study_name = study_name
        self.n_trials = n_trials
        self.trials_at_once = trials_at_once
        self.n_startup_trials = n_startup_trials
        self.prune = prune
        self.seed = seed
        self.params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._loader = hydra_context.config_loader
        self._folder = Path(config.hydra.sweep.dir)
        self._launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        from filelock import FileLock, Timeout

        overrides = self._overrides(arguments)
        fixed = [str(override.input_line) for override in overrides if not override.is_sweep_override()]
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            space = {o.get_key_element(): _distribution(o) for o in overrides if o.is_sweep_override()}
            with FileLock(self._folder / ".lock", timeout=0):
                self._search(space, fixed)
        except ImportError:
            raise CompactHydraException("error: Optuna is missing: pip install 'yolact-pl[sweep]'") from None
        except Timeout:
            raise CompactHydraException(
                f"error: a sweep is running in {self._folder}; wait, or give another hydra.sweep.dir"
            ) from None
        except ValueError as error:
            raise CompactHydraException(f"error: {error}") from None

    def _overrides(self, arguments: list[str]) -> list[Override]:
        """`params`, and what was typed in their place or beside them."""
        parser = OverridesParser.create(config_loader=self._loader)
        params = parser.parse_overrides([f"{key}={sweep}" for key, sweep in self.params.items()])
        typed = parser.parse_overrides(arguments)
        told = {override.key_or_group for override in typed}
        return [override for override in params if override.key_or_group not in told] + typed

    def _search(self, space: dict[str, "BaseDistribution"], fixed: list[str]) -> None:
        from yolact_pl.sweeps.study import best, interrupted, open_study, tell
        from yolact_pl.sweeps.trial import StudyAddress

        study = open_study(
            self.storage,
            self.study_name,
            fixed=[o for o in fixed if not o.startswith(("hparams_search=", "resume="))],
            n_startup_trials=self.n_startup_trials,
            seed=self.seed,
            parallel=self.trials_at_once > 1,
        )
        if self.prune:
            StudyAddress(self.storage, self.study_name, self.n_startup_trials).tell_jobs()
        trials = interrupted(study, space)
        _log.info("study of %d trials: %d have ended, %d were interrupted and are repeated",
                  self.n_trials, len(study.trials) - len(trials), len(trials))  # fmt: skip
        while True:
            while len(trials) < self.trials_at_once and len(study.trials) < self.n_trials:
                trial = study.ask(space)
                trials[trial.number] = trial.params
            if not trials:
                break
            for number, value in self._launch(trials, fixed).items():
                tell(study, number, value)
                del trials[number]
        _log.info("%s", best(study))

    def _launch(self, trials: dict[int, dict[str, Any]], fixed: Sequence[str]) -> dict[int, float | None]:
        """Objectives by number, of the first trials: as many as go at once and have successive numbers."""
        first = min(trials)
        numbers = [n for n in range(first, first + self.trials_at_once) if n in trials]
        numbers = [n for n in numbers if n - first == numbers.index(n)]
        jobs = [[*fixed, *(f"{key}={value}" for key, value in trials[n].items())] for n in numbers]
        returns = self._launcher.launch(jobs, initial_job_idx=first)
        return dict(zip(numbers, (one.return_value for one in returns), strict=True))


def _distribution(override: Override) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution  # pyright: ignore[reportMissingImports]

    sweep: Any = override.value()
    if isinstance(sweep, IntervalSweep):
        ends: Any = (sweep.start, sweep.end)
        kind = IntDistribution if all(isinstance(end, int) for end in ends) else FloatDistribution
        return kind(*ends, log="log" in sweep.tags)
    if override.is_range_sweep():
        values: list[Any] = list(override.sweep_iterator())
        kind = IntDistribution if all(isinstance(value, int) for value in values) else FloatDistribution
        return kind(values[0], values[-1], step=sweep.step)
    return CategoricalDistribution(list(override.sweep_string_iterator()))
