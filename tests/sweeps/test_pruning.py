"""Trials that are ended early."""

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
def test_search_with_a_trial_that_ends_early(tmp_path: Path) -> None:
    """The values are 0, -1 and -2: the third is below the median of the two that have to end before."""
    trials = ["hydra.sweeper.n_trials=3", "hydra.sweeper.n_startup_trials=2", "source=asks"]
    end = sweep(tmp_path, "hparams_search=optuna", "hydra.sweep.dir=search", *trials)
    assert end.returncode == 0, end.stdout
    assert "best of 3 trials (1 ended early): #0, objective 0.0000" in end.stdout
    assert [(row["job"], float(row["objective"])) for row in rows(tmp_path / "search")] == [
        ("0", 0), ("1", -1), ("2", -2)
    ]  # fmt: skip
