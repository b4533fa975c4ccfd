"""Who is told what a run measures."""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from tests.csv_log import logged
from tests.tiny_run import compose_config
from yolact_pl.training.trainer import build_loggers

Run = Callable[..., Any]
TWO_STEPS = ["schedule.max_steps=2", "trainer.val_check_interval=2"]


def read_events(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def hparams(events: EventAccumulator, tag: str) -> plugin_data_pb2.HParamsPluginData:
    content = events.summary_metadata[f"_hparams_/{tag}"].plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)


@pytest.mark.parametrize("seconds", [0.0, 1e3])
def test_figures_of_a_validation_where_they_take_a_small_part_of_its_time(
    seconds: float, run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yolact_pl.callbacks.coco_evaluation.FIGURE_SECONDS", seconds)
    run_task(tmp_path, *TWO_STEPS, "logger=tensorboard", "report=false")
    images = set(read_events(tmp_path / "tensorboard").Tags()["images"])
    assert "validation" in images
    figures = {"confusion", "precision_recall", "errors"}
    assert images & figures == (figures if seconds == 0 else set())


def test_hparams_tab_compares_runs_by_their_final_metrics(run_task: Run, tmp_path: Path) -> None:
    """Two jobs of a sweep, as TensorBoard reads them."""
    for rate in (1e-3, 5e-4):
        options = [f"schedule.lr={rate}", "model.network.num_prototypes=8", "logger=tensorboard"]
        options += ["callbacks=ema", "callbacks.ema.decay=0.5"]
        best = run_task(tmp_path / str(rate), *TWO_STEPS, *options)
        events = read_events(tmp_path / str(rate) / "tensorboard")
        start = hparams(events, "session_start_info").session_start_info
        values = {name: value.number_value or value.string_value for name, value in start.hparams.items()}
        assert values["schedule.lr"] == rate
        assert values["model.network.num_prototypes"] == 8  # only because the command line names it
        assert values["backbone"] == "r10"
        assert values["experiment"] == "shapes_published"
        assert values["total_batch"] == 2
        assert (values["callbacks"], values["callbacks.ema.decay"]) == ("ema", 0.5)
        assert not [name for name in values if name.startswith(("callbacks.eval", "logger", "output"))]
        metrics = [info.name.tag for info in hparams(events, "experiment").experiment.metric_infos]
        assert {"best/mask_AP", "final/mask_AP", "final/box_AP", "final/loss/total"} <= set(metrics)
        (shown,) = events.Scalars("best/mask_AP")
        assert shown.value == pytest.approx(best, abs=1e-6)
        assert shown.step == 2
        assert events.Scalars("final/mask_AP")[-1].value == events.Scalars("val/mask_AP")[-1].value


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
@pytest.mark.parametrize("choice", ["alone", "beside another"])
def test_missing_package_is_one_sentence(name: str, choice: str, run_task: Run, tmp_path: Path) -> None:
    if find_spec(name) is not None:
        pytest.skip(f"{name} is installed")
    choices = name if choice == "alone" else f"[csv,{name}]"
    with pytest.raises(
        ValueError, match=rf"logger={name} needs a package .*: pip install 'yolact-pl\[{name}\]'"
    ):
        run_task(tmp_path, f"logger={choices}")


class FakeRun:
    """As much of a W&B run as Lightning uses."""

    id, name = "x", "y"

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.rows: list[dict[str, Any]] = []
        self.config = SimpleNamespace(update=lambda values, allow_val_change: self.said.update(values))
        self.said: dict[str, Any] = {}

    def log(self, row: dict[str, Any]) -> None:
        self.rows.append(row)

    def define_metric(self, *arguments: Any, **options: Any) -> None:
        pass


def test_wandb_is_told_config_and_metrics(
    run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[FakeRun] = []

    def init(**options: Any) -> FakeRun:
        runs.append(FakeRun(**options))
        return runs[-1]

    fakes = {
        "wandb": {"init": init, "run": None, "require": lambda name: None},
        "wandb.sdk": {},
        "wandb.sdk.lib": {"RunDisabled": type("RunDisabled", (), {})},
        "wandb.wandb_run": {"Run": FakeRun},
    }
    for name, content in fakes.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("pytorch_lightning.loggers.wandb._WANDB_AVAILABLE", True)
    run_task(tmp_path, *TWO_STEPS, "logger=wandb", "schedule.lr=7e-4")
    (run,) = runs
    assert (run.options["project"], run.options["name"]) == ("yolact", "shapes_published")
    assert run.options["dir"] == str(tmp_path)
    assert run.said["schedule.lr"] == 7e-4
    named = set().union(*run.rows)
    assert {"loss/total", "val/mask_AP", "trainer/global_step"} <= named


def test_mlflow_writes_beside_the_others_or_where_its_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: list[str] = []
    module, tracking = ModuleType("mlflow"), ModuleType("mlflow.tracking")
    tracking.__dict__["MlflowClient"] = clients.append
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.setitem(sys.modules, "mlflow.tracking", tracking)
    monkeypatch.setattr("pytorch_lightning.loggers.mlflow._MLFLOW_AVAILABLE", True)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    build_loggers(compose_config(["logger=mlflow"], tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somewhere:5000")
    build_loggers(compose_config(["logger=mlflow"], tmp_path))
    assert clients == ["sqlite:///mlflow.db", "http://somewhere:5000"]


@pytest.mark.slow
def test_mlflow_keeps_parameters_and_metrics(run_task: Run, tmp_path: Path) -> None:
    """MLflow itself, where it is installed."""
    mlflow = pytest.importorskip("mlflow")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    best = run_task(
        tmp_path, *TWO_STEPS, "logger=mlflow", f"logger.mlflow.tracking_uri={uri}", "schedule.lr=7e-4"
    )
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("yolact").experiment_id])
    assert run.info.run_name == "shapes_published"
    assert run.info.status == "FINISHED"
    assert float(run.data.params["schedule.lr"]) == 7e-4
    assert run.data.metrics["val/mask_AP"] == pytest.approx(best)
    assert [point.step for point in client.get_metric_history(run.info.run_id, "loss/total")] == [0, 1]


@pytest.mark.slow
def test_wandb_offline_leaves_a_file_to_upload(run_task: Run, tmp_path: Path) -> None:
    """W&B itself, where it is installed."""
    wandb = pytest.importorskip("wandb")
    run_task(tmp_path, *TWO_STEPS, "logger=wandb", "logger.wandb.offline=true", "schedule.lr=7e-4")
    wandb.finish()
    (path,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    content = path.read_bytes()
    for name in (b"schedule.lr", b"loss/total", b"val/mask_AP", b"trainer/global_step"):
        assert name in content


def test_loggers_are_combined(tmp_path: Path) -> None:
    both = build_loggers(compose_config(["logger=[tensorboard,csv]"], tmp_path))
    assert [type(logger).__name__ for logger in both] == ["TensorBoardLogger", "CSVLogger"]
    assert list(compose_config(["logger=all"], tmp_path).logger) == ["tensorboard", "csv", "wandb", "mlflow"]


@pytest.mark.parametrize("batches", [1, 2], ids=["", "accumulated"])
def test_logged_losses_are_means_over_the_interval(run_task: Run, tmp_path: Path, batches: int) -> None:
    options = ["trainer.limit_val_batches=0", "dataset.max_images=8"]  # 4 batches in each epoch
    options += [f"trainer.accumulate_grad_batches={batches}", f"schedule.max_steps={4 * batches}"]
    for interval in (1, 2):
        folder = tmp_path / str(interval)
        run_task(folder, *options, f"trainer.log_every_n_steps={interval}")
    each, pairs = logged(tmp_path / "1"), logged(tmp_path / "2")
    assert [*each] == [0, 1, 2, 3]
    assert pairs == pytest.approx({1: (each[0] + each[1]) / 2, 3: (each[2] + each[3]) / 2})
