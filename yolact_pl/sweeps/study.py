"""Optuna study of a search, kept in a database and continued by the next sweep."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from yolact_pl.sweeps.trial import PRUNED

if TYPE_CHECKING:
    from optuna import Study  # pyright: ignore[reportMissingImports]
    from optuna.distributions import BaseDistribution  # pyright: ignore[reportMissingImports]

_FIXED = "fixed overrides"


def open_study(
    storage: str,
    name: str,
    *,
    fixed: Sequence[str],
    n_startup_trials: int,
    seed: int | None,
    parallel: bool,
) -> "Study":
    """The study of this name, new or continued: a tree-structured Parzen estimator, more is better.

    Args:
        storage: URL of the database.
        name: in the database.
        fixed: overrides that all trials share; trials of others could not be compared with these.
        n_startup_trials: drawn at random before the estimator starts.
        seed: of the draws.
        parallel: trials are drawn before earlier ones have ended.

    Raises:
        ValueError: the study has other fixed overrides.
    """
    import optuna  # pyright: ignore[reportMissingImports]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    study.sampler = optuna.samplers.TPESampler(
        n_startup_trials=n_startup_trials,
        seed=None if seed is None else seed + len(study.trials),  # not the draws of the earlier sweep again
        constant_liar=parallel,
    )
    known = study.user_attrs.get(_FIXED)
    if known is None:
        study.set_user_attr(_FIXED, sorted(fixed))
    elif known != sorted(fixed):
        raise ValueError(
            f"the study in {storage} is of `{' '.join(known)}`, not of `{' '.join(sorted(fixed))}`; "
            "give these overrides, or another hydra.sweep.dir"
        )
    return study


def interrupted(study: "Study", space: Mapping[str, "BaseDistribution"]) -> dict[int, dict[str, Any]]:
    """Numbers and values of the trials without an end; those with other keys than `space` are given up."""
    from optuna.trial import TrialState  # pyright: ignore[reportMissingImports]

    found: dict[int, dict[str, Any]] = {}
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if trial.params.keys() == space.keys():
            found[trial.number] = trial.params
        else:
            study.tell(trial.number, state=TrialState.FAIL)
    return found


def tell(study: "Study", number: int, value: float | None) -> None:
    """End a trial with its objective, None where it has failed; one that was pruned keeps its last value."""
    from optuna.trial import TrialState  # pyright: ignore[reportMissingImports]

    if value is None:
        study.tell(number, state=TrialState.FAIL)
    elif PRUNED in study.trials[number].user_attrs:
        study.tell(number, state=TrialState.PRUNED)
    else:
        study.tell(number, value)


def best(study: "Study") -> str:
    """One line on the best trial."""
    from optuna.trial import TrialState  # pyright: ignore[reportMissingImports]

    trials = study.get_trials(deepcopy=False)
    pruned = sum(trial.state == TrialState.PRUNED for trial in trials)
    counted = f"{len(trials)} trials" + (f" ({pruned} ended early)" if pruned else "")
    if not any(trial.state == TrialState.COMPLETE for trial in trials):
        return f"none of {counted} has an objective"
    params = " ".join(f"{key}={value}" for key, value in study.best_params.items())
    return f"best of {counted}: #{study.best_trial.number}, objective {study.best_value:.4f}  {params}"
