"""Communication of a running trial with its study."""

import json
import os
from dataclasses import asdict, dataclass

_VARIABLE = "YOLACT_STUDY"
PRUNED = "pruned at step"
"""Attribute of a trial that was ended early."""


@dataclass(frozen=True)
class StudyAddress:
    """Where jobs find the study that they are trials of.

    Args:
        storage: URL of the database.
        name: in the database.
        n_startup_trials: so many trials have to end before another one is ended early.
    """

    storage: str
    name: str
    n_startup_trials: int

    def tell_jobs(self) -> None:
        """To all processes that are started from now on."""
        os.environ[_VARIABLE] = json.dumps(asdict(self))


def told_address() -> StudyAddress | None:
    """What a sweep has told this process, None outside of a search."""
    told = os.environ.get(_VARIABLE)
    return None if told is None else StudyAddress(**json.loads(told))


def is_bad(address: StudyAddress, number: int, value: float, step: int) -> bool:
    """Report a value of a running trial, and learn whether it is below the median of the others at this step.

    Args:
        address: of the study.
        number: of the trial.
        value: more is better.
        step: of the training; values of the same step are compared.
    """
    import optuna  # pyright: ignore[reportMissingImports]

    study = optuna.load_study(
        storage=address.storage,
        study_name=address.name,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=address.n_startup_trials),
    )
    trial = optuna.trial.Trial(study, study.trials[number]._trial_id)
    trial.report(value, step)
    if not trial.should_prune():
        return False
    trial.set_user_attr(PRUNED, step)
    return True
