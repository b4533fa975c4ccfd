"""What a person gets who types `python run.py ...`."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from yolact_pl.cli.main import config_folder
from yolact_pl.cli.suggest import suggestions, unknown_additions

ROOT = Path(__file__).parents[1]
HEAVY = {"numpy", "torch", "torchvision", "pytorch_lightning", "lightning_fabric", "cv2", "av", "PIL"}
HEAVY |= {"pycocotools", "faster_coco_eval", "timm", "matplotlib", "tensorboard"}

Start = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Run `python [options] run.py arguments` in a folder of its own."""

    def run(
        *arguments: str, options: tuple[str, ...] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *options, str(ROOT / "run.py"), *arguments],
            cwd=tmp_path,
            env={key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"} | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def test_help_shows_groups_with_their_choices_and_ten_commands(start: Start) -> None:
    done = start("--help")
    assert done.returncode == 0
    folders = [path for path in (ROOT / "conf").iterdir() if path.is_dir() and path.name != "hydra"]
    for folder in folders:
        choices = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        assert f"{folder.name}: {choices}\n" in done.stdout
    commands = done.stdout.split("== Common commands ==")[1].split("==")[0]
    assert len(re.findall("^python run.py", commands, re.MULTILINE)) == 10


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"], ["dataset.batchsize=4"]])
def test_nothing_heavy_is_imported_before_a_task_runs(arguments: list[str], start: Start) -> None:
    done = start(*arguments, options=("-X", "importtime"))
    imported = set(re.findall(r"\| +(\w+)$", done.stderr, re.MULTILINE))
    assert "hydra" in imported
    assert not imported & HEAVY


def test_printed_config_is_the_one_composed(start: Start) -> None:
    done = start("--cfg", "job", "experiment=quickstart", "image_size=96")
    assert done.returncode == 0
    assert "name: quickstart\n" in done.stdout
    assert "image_size: 96\n" in done.stdout


MISTYPED = {
    "dataset.batchsize=4": "dataset.batch_size=4",
    "trainer.device=8": "trainer.devices=8",
    "train.devices=8": "trainer.devices=8",
    "backbone=r50x": "backbone=r50",
    "experiment=yolact_bas": "experiment=yolact_base",
    "task=evaluate": "task=eval",
    "model=yolact++": "model=yolact_plus",
    "modle=yolact": "model=yolact",
    "model.network.chanels=64": "model.network.channels=64",
    "model.network.nms=exact": "model.postprocess.nms=exact",
    "model.network.backbone.weights=null": "backbone.weights=null",
    "lr=0.01": "schedule.lr=0.01",
    "batch_size=4": "dataset.batch_size=4 or schedule.batch_size=4",
    "~callbacks.progres": "~callbacks.progress",
    "quickstart": "experiment=quickstart",
}


@pytest.mark.parametrize(("typed", "meant"), MISTYPED.items())
def test_nearest_name(typed: str, meant: str) -> None:
    assert suggestions([typed], config_folder()) == [f"{typed}: did you mean {meant} ?"]


def test_keys_are_those_of_the_chosen_groups() -> None:
    lines = suggestions(["experiment=quickstart", "dataset.num_trian=3", "image_size=96"], config_folder())
    assert lines == ["dataset.num_trian=3: did you mean dataset.num_train=3 ?"]
    # num_train is a key of the shapes only
    assert suggestions(["dataset.num_trian=3"], config_folder()) == []


@pytest.mark.parametrize(
    ("typed", "choice"),
    [
        ("callbacks.early_stopping.patience=3", "callbacks=early_stopping"),
        ("dataset.num_train=3", "dataset=shapes"),
        ("~callbacks.ema", "callbacks=ema"),
    ],
)
def test_key_of_a_choice_that_is_not_chosen(typed: str, choice: str) -> None:
    lines = suggestions([typed], config_folder())
    assert lines == [f"{typed}: this key comes with {choice}, which is not chosen"]
    assert suggestions([choice, typed], config_folder()) == []


def test_each_choice_of_a_sweep_is_looked_at() -> None:
    lines = suggestions(["-m", "backbone=r50,r19", "schedule.lr=1e-3,5e-4"], config_folder())
    assert lines == ["backbone=r19: did you mean backbone=r18 ?"]


@pytest.mark.parametrize(
    "valid",
    [
        "+trainer.detect_anomaly=true",
        "hydra.run.dir=x",
        "experiment=null",
        "trainer.devices=2",
        "-m",
        "trainer=default",
    ],
)
def test_nothing_is_suggested_for_what_is_right(valid: str) -> None:
    assert suggestions([valid], config_folder()) == []


def test_addition_that_no_task_reads() -> None:
    lines = [*unknown_additions(["+new.key=1", "++seeds=3", "+trainer.detect_anomaly=true"], config_folder())]
    assert lines == [
        "+new.key=1: no task reads the key new.key",
        "++seeds=3: no task reads the key seeds; did you mean seed=3 ?",
    ]


def test_group_without_a_choice_lists_the_choices() -> None:
    (line,) = suggestions(["schedule=null"], config_folder())
    assert line.startswith("schedule=null: a group needs one of its choices: coco_800k, ")


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ("trainer.device=8", "Could not override 'trainer.device'"),
        ("backbone=r50x", "Could not find 'backbone/r50x'"),
        ("modle=yolact", "Could not override 'modle'"),
    ],
)
def test_mistyped_override_ends_with_the_nearest_name(typed: str, complaint: str, start: Start) -> None:
    done = start(typed)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert done.stderr.splitlines()[-1] == f"{typed}: did you mean {MISTYPED[typed]} ?"
    assert "Traceback" not in done.stderr


def errors(done: "subprocess.CompletedProcess[str]") -> list[str]:
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("error:")]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["task=eval", "checkpoint=nothing.ckpt"], "error: checkpoint=nothing.ckpt: no such file"),
        (
            ["dataset=coco_custom", "dataset.train_json=???"],
            "error: dataset.train_json is not set; give dataset.train_json=<value>",
        ),
        (["seed=-1"], "error: seed=-1: expected a whole number from 0 to 4294967295"),
        (["+lr=0.01"], "error: +lr=0.01: no task reads the key lr; did you mean schedule.lr=0.01 ?"),
    ],
)
def test_mistake_is_one_sentence_without_a_traceback(
    arguments: list[str], sentence: str, start: Start
) -> None:
    done = start(*arguments)
    assert done.returncode == 1
    assert errors(done) == [sentence]
    assert "Traceback" not in done.stdout + done.stderr


def test_mistake_in_a_constructor_names_its_key(start: Start, tmp_path: Path) -> None:
    done = start(
        *["experiment=quickstart", f"data_dir={tmp_path}", "dataset.num_train=8", "dataset.num_val=2"],
        *["backbone.depths=[1,1,1,1]", "trainer.accelerator=abacus"],
    )
    assert done.returncode == 1
    assert len(errors(done)) == 1
    assert "accelerator" in errors(done)[0]
    assert "abacus" in errors(done)[0]
    assert "Traceback" not in done.stdout + done.stderr


def test_full_error_on_demand(start: Start) -> None:
    done = start("task=eval", "checkpoint=nothing.ckpt", HYDRA_FULL_ERROR="1")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "checkpoint=nothing.ckpt: no such file" in done.stderr
    assert errors(done) == []


def test_ctrl_c_ends_any_task_without_a_traceback(tmp_path: Path) -> None:
    program = (
        "import signal, sys; from yolact_pl.cli import main; sys.argv = ['run.py', 'hydra.run.dir=.'];"
        "main.get_method = lambda name: lambda cfg: signal.raise_signal(signal.SIGINT); main.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 130
    assert done.stderr.endswith("stopped\n")
    assert "Traceback" not in done.stderr
