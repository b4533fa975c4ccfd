"""Every config composes, and its constructors take it."""

import json
import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback

from yolact_pl.cli.typed_overrides import typed_overrides
from yolact_pl.config.build import build, build_network
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.losses.yolact_loss import YolactLoss
from yolact_pl.models.network import YolactNetwork
from yolact_pl.postprocess import Postprocess
from yolact_pl.schedules.schedule import Schedule
from yolact_pl.training.trainer import build_callbacks

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"
EXPERIMENTS = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml"))
BACKBONES = sorted(file.stem for file in (CONF / "backbone").glob("*.yaml"))
CHOICES = sorted(
    f"{file.parent.name}={file.stem}" for file in CONF.glob("*/*.yaml") if file.parent.name != "experiment"
)
OPTIONAL = ("wandb", "mlflow")
RECORDED = json.loads((ROOT / "tests" / "parity" / "lr_schedule.json").read_text())


def config(*overrides: str, output: str = "nowhere") -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", overrides=[*overrides, f"output={output}"], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    return cfg


def values(cfg: DictConfig) -> dict[str, Any]:
    """Dotted keys and values as they are written: what is copied by `${...}` counts once."""
    found: dict[str, Any] = {}

    def walk(node: Any, prefix: str) -> None:
        for key, value in node.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{key}.")
            else:
                found[f"{prefix}{key}"] = value

    walk({k: v for k, v in OmegaConf.to_container(cfg).items() if k != "hydra"}, "")  # type: ignore[union-attr]
    return found


def changes(old: DictConfig, new: DictConfig) -> dict[str, Any]:
    """What is different in `new`, without the name."""
    a, b = values(old), values(new)
    return {k: b.get(k, "(none)") for k in {*a, *b} if a.get(k) != b.get(k) and k != "name"}


@pytest.fixture
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Constructors find no files here and may leave some."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiment_builds(experiment: str, in_tmp_path: Path) -> None:
    size = ["image_size=64"] if experiment == "own_data" else []  # which follows the data
    cfg = config(f"experiment={experiment}", "backbone.weights=null", *size, output=str(in_tmp_path))
    assert cfg.name == experiment
    with torch.device("meta"):  # shapes without memory: ResNet-101 takes no time
        network = build_network(cfg, num_classes=3)
    assert isinstance(network, YolactNetwork)
    assert network.num_classes == 3
    assert isinstance(build(cfg.model.loss), YolactLoss)
    assert isinstance(build(cfg.model.postprocess), Postprocess)
    assert isinstance(build(cfg.schedule), Schedule)
    callbacks = build_callbacks(cfg)
    assert {"best", "periodic", "evaluation", "gradient_guard", "throughput"} <= set(callbacks)
    assert all(isinstance(callback, Callback) for callback in callbacks.values())
    data = build(cfg.dataset)
    assert isinstance(data, CocoDataModule)
    size = cfg.image_size if not isinstance(cfg.image_size, int) else [cfg.image_size] * 2
    assert list(data.image_size) == list(size)


@pytest.mark.parametrize("choice", CHOICES)
def test_choice_composes(choice: str) -> None:
    cfg = config(choice)
    group, name = choice.split("=")
    assert HydraConfig.get().runtime.choices[group] == name
    if group not in ("hparams_search", "debug"):  # set keys of other groups
        assert OmegaConf.to_container(cfg[group], resolve=True)


@pytest.mark.parametrize(
    "choice", [c for c in CHOICES if c.startswith(("augment", "logger", "optimizer", "schedule"))]
)
def test_small_choices_build(choice: str, in_tmp_path: Path) -> None:
    cfg = config(choice, output=str(in_tmp_path))
    node = cfg[choice.split("=")[0]]
    for name, part in node.items() if choice.startswith("logger") else [(choice, node)]:
        if name in OPTIONAL and find_spec(name) is None:  # see tests/training/test_loggers.py
            continue
        made = build(part)
        assert getattr(made, "func", type(made)).__name__ == part._target_.rpartition(".")[2]


def test_schedule_chooses_its_optimizer_unless_the_command_line_does() -> None:
    def optimizer(*overrides: str) -> str:
        cfg = config(*overrides)
        assert cfg.optimizer == cfg.schedule.optimizer
        return cfg.optimizer._target_.rpartition(".")[2]

    assert optimizer() == optimizer("schedule=finetune") == "SGD"
    assert optimizer("schedule=quick") == optimizer("experiment=quickstart") == "AdamW"
    assert optimizer("experiment=quickstart", "schedule=coco_800k") == "SGD"
    assert optimizer("experiment=quickstart", "optimizer=sgd") == "SGD"
    assert optimizer("optimizer=adamw", "optimizer.weight_decay=0.5") == "AdamW"


def test_plus_changes_what_the_paper_says_and_no_more() -> None:
    """YOLACT++, section 4: mask re-scoring, deformable convolutions in the backbone, more anchors."""
    assert changes(config("experiment=yolact_base"), config("experiment=yolact_plus_base")) == {
        "backbone.deformable": True,
        "model.network.anchors.octaves": 3,
        "model.network.anchors.square": False,
        "model.network.mask_iou": True,
    }
    cfg = config("experiment=yolact_plus_base")
    assert (cfg.backbone.depths, cfg.backbone.deformable_interval) == ([3, 4, 23, 3], 3)
    assert config("experiment=yolact_plus_resnet50").backbone.deformable_interval == 1


@pytest.mark.parametrize(
    ("experiment", "changed"),
    [
        ("yolact_im400", {"image_size": 400}),
        ("yolact_im700", {"image_size": 700, "model.loss.terms.mask.max_masks": 300}),
        (
            "yolact_resnet50",
            {"backbone.depths": [3, 4, 6, 3], "backbone.deformable_interval": 1},  # the latter without effect
        ),
    ],
)
def test_experiment_differs_from_base_only_in(experiment: str, changed: dict[str, Any]) -> None:
    assert changes(config("experiment=yolact_base"), config(f"experiment={experiment}")) == changed


@pytest.mark.parametrize("backbone", ["darknet53", "timm", "efficientnet_lite0"])
def test_plus_says_which_backbones_it_can_have(backbone: str) -> None:
    cfg = config("model=yolact_plus", f"backbone={backbone}", "backbone.weights=null")
    with pytest.raises(ValueError, match="no deformable convolutions; choose backbone=r50 or r101"):
        build_network(cfg, num_classes=3)


def test_former_key_of_timms_weights(capsys: pytest.CaptureFixture[str]) -> None:
    cfg = config(*typed_overrides(["backbone=timm", "backbone.pretrained=false"]))
    assert capsys.readouterr().err == "backbone.pretrained is now backbone.weights\n"
    with torch.device("meta"):
        assert not build_network(cfg, num_classes=3).backbone.pretrained


@pytest.mark.parametrize("backbone", BACKBONES)
def test_backbone_builds_in_an_experiment_of_another(backbone: str) -> None:
    cfg = config("experiment=quickstart", f"backbone={backbone}", "backbone.weights=null")
    with torch.device("meta"):
        assert not build_network(cfg, num_classes=3).backbone.pretrained


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiment_sets_nothing_that_only_its_backbone_has(experiment: str) -> None:
    cfg = config(f"experiment={experiment}", "backbone=efficientnet_lite0")
    deformable = {"deformable"} if cfg.model.network.mask_iou else set()  # the one thing YOLACT++ is about
    assert cfg.backbone.keys() == {"_target_", "weights"} | deformable


def test_groups_alone_give_the_published_base_model() -> None:
    by_groups = config("model=yolact", "backbone=r101", "trainer.devices=8")
    assert changes(config("experiment=yolact_base"), by_groups) == {"trainer.devices": 8}
    assert by_groups.name == "yolact_r101_coco2017"


def test_eight_devices_give_the_published_schedule_for_batch_64() -> None:
    cfg = config("model=yolact", "backbone=r101", "trainer.devices=8")
    batch_size = cfg.trainer.devices * cfg.trainer.num_nodes * cfg.dataset.batch_size
    schedule = build(cfg.schedule).scaled(batch_size, num_images=118_000)
    published = next(r for r in RECORDED if r["batch_size"] == 64)
    assert schedule.batch_size == 64
    assert schedule.max_steps == published["max_iter"]
    assert schedule.milestones == published["lr_steps"]
    assert schedule.lr == pytest.approx(published["base_lr"])
    assert (schedule.warmup_steps, schedule.warmup_lr) == (
        published["warmup_until"],
        published["warmup_init"],
    )
    for step, rate in published["lr"]:
        assert schedule.lr_at(step) == pytest.approx(rate, rel=1e-12), step
    optimizer, _ = schedule.configure(torch.nn.Linear(1, 1))
    assert isinstance(optimizer, torch.optim.SGD)
    group = optimizer.param_groups[0]
    assert (group["momentum"], group["weight_decay"]) == (published["momentum"], published["weight_decay"])


def test_command_line_has_the_last_word_over_an_experiment() -> None:
    cfg = config("experiment=yolact_base", "backbone=r50", "image_size=96", "schedule.lr=1e-5")
    assert cfg.backbone.depths == [3, 4, 6, 3]
    assert (cfg.image_size, cfg.schedule.lr) == (96, 1e-5)
    assert cfg.model.network.anchors.image_size == cfg.dataset.image_size == 96


def documented_commands() -> Iterator[tuple[str, str]]:
    """File and arguments of each command in README, docs, Makefile, help page and experiments."""
    files = [
        ROOT / "README.md",
        ROOT / "Makefile",
        CONF / "config.yaml",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((CONF / "experiment").glob("*.yaml")),
    ]
    pattern = re.compile(r"^[\s#$]*(?:\$\(BIN\)/)?(?:python run\.py|yolact) (?!\[)(.*)$", re.MULTILINE)
    for file in files:
        for command in pattern.findall(file.read_text().replace("\\\n", " ")):
            # What follows two spaces explains the command: in the help page it has no other mark.
            yield file.name, re.split(r"\s+#|\s{2,}", command)[0]


COMMANDS = sorted({command: file for file, command in documented_commands()}.items())


@pytest.mark.parametrize(("command", "file"), COMMANDS)
def test_documented_command_composes(command: str, file: str) -> None:
    arguments = [argument for argument in shlex.split(command) if argument != "..."]
    if "--cfg" in arguments:
        del arguments[arguments.index("--cfg") : arguments.index("--cfg") + 2]
    overrides = OverridesParser.create().parse_overrides([a for a in arguments if not a.startswith("-")])
    assert overrides or "-" in command
    runs = [o for o in overrides if not o.is_sweep_override()]
    sweeps = [
        f"{o.key_or_group}={v}" for o in overrides if o.is_sweep_override() for v in o.sweep_string_iterator()
    ]
    for sweep in sweeps or [None]:
        config(*[str(o.input_line) for o in runs], *([sweep] if sweep else []))


def test_documented_commands_are_found() -> None:
    found = [file for file, _ in documented_commands()]
    assert found.count("config.yaml") == 10
    assert {"README.md", "Makefile", "yolact_base.yaml"} <= set(found)
