"""Trials that are ended early."""

import statistics
from pathlib import Path

import pytest
from sweep_command import rows, sweep

from yolact_pl.sweeps.study import best, open_study, tell
from yolact_pl.sweeps.trial import StudyAddress, is_bad, told_address

optuna = pytest.importorskip("optuna")


def test_worse_than_the_median_of_the_others_at_the_same_step(tmp_path: Path) -> None:
    address = StudyAddress(f"sqlite:///{tmp_path / 'study.db'}", "some", n_startup_trials=3)
    study = open_study(address.storage, "some", fixed=[], n_startup_trials=3, seed=0, parallel=False)
    for number, values in enumerate([(0.2, 0.8), (0.4, 0.6), (0.6, 0.5)]):
        assert study.ask().number == number
        assert not [step for step, value in zip((10, 20), values, strict=True)
                    if is_bad(address, number, value, step)]  # fmt: skip
        tell(study, number, max(values))
    for number, value, bad in ((3, 0.41, False), (4, 0.39, True)):  # the median at step 10 is 0.4
        assert study.ask().number == number
        assert is_bad(address, number, value, 10) == bad
    assert not is_bad(address, 3, 0.61, 20)  # 0.6 there
    tell(study, 3, 0.7)
    tell(study, 4, 0.39)
    ended = study.trials[-1]
    assert (ended.state, ended.value) == (optuna.trial.TrialState.PRUNED, 0.39)
    assert best(study).startswith("best of 5 trials (1 ended early): #0, objective 0.8000")


def test_only_jobs_of_a_search_are_told_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOLACT_STUDY", "")
    monkeypatch.delenv("YOLACT_STUDY")
    assert told_address() is None
    address = StudyAddress("sqlite:///a b.db", "some", 3)
    address.tell_jobs()
    assert told_address() == address


@pytest.mark.slow
@pytest.mark.parametrize("prune", ["true", "false"])
def test_search_with_trials_that_end_early(prune: str, tmp_path: Path) -> None:
    six = ["hydra.sweeper.n_trials=6", "hydra.sweeper.n_startup_trials=2", f"hydra.sweeper.prune={prune}"]
    end = sweep(tmp_path, "hparams_search=optuna", "hydra.sweep.dir=search", "source=asks", *six)
    assert end.returncode == 0, end.stdout
    values = {int(row["job"]): float(row["objective"]) for row in rows(tmp_path / "search")}
    complete: list[float] = []
    for number in range(6):
        if prune == "false" or len(complete) < 2 or values[number] >= statistics.median(complete):
            complete.append(values[number])
    pruned = 6 - len(complete)
    counted = f"best of 6 trials ({pruned} ended early):" if pruned else "best of 6 trials:"
    assert counted in end.stdout
    assert (pruned > 0) == (prune == "true")
