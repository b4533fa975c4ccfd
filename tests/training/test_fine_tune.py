from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from tests.checkpoints.checkpoint_files import published, small_network, small_tree, write_own
from yolact_pl.checkpoints.description import build_network as build_description
from yolact_pl.cli.main import config_folder
from yolact_pl.config.build import build, build_network
from yolact_pl.models.yolact import Yolact
from yolact_pl.training.fine_tune import network_to_train, step_to_start_at

SMALL = [
    "backbone=r18",
    "backbone.depths=[1,1,1,1]",
    "backbone.weights=null",
    "model.network.channels=8",
    "model.network.num_prototypes=4",
]


def config(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return compose("config", overrides=[*SMALL, *overrides])


def test_plain_start() -> None:
    network = network_to_train(config(), ["a", "b"])
    assert network.num_classes == 2
    assert not network.backbone.pretrained
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_init_needs_no_imagenet_weights(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old = write_own(tmp_path / "own.ckpt", ["a", "b"])
    cfg = config(
        f"init={tmp_path / 'own.ckpt'}", "backbone.weights=imagenet"
    )  # there are none for this depth
    with caplog.at_level("INFO"):
        network = network_to_train(cfg, ["b", "c"])
    torch.testing.assert_close(network.fpn.state_dict(), old.fpn.state_dict())
    assert network.backbone.pretrained
    assert "classes re-used          1  b" in caplog.text
    assert "has no weights for all of this backbone" not in caplog.text


def test_other_backbone_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_own(tmp_path / "own.ckpt", ["a", "b"])
    network = network_to_train(
        config(f"init={tmp_path / 'own.ckpt'}", "backbone.depths=[1,2,1,1]"), ["a", "b"]
    )
    assert not network.backbone.pretrained
    assert "has no weights for all of this backbone" in caplog.text


def test_frozen_backbone_keeps_what_it_knows(tmp_path: Path) -> None:
    write_own(tmp_path / "own.ckpt", ["a", "b"])
    network = network_to_train(config(f"init={tmp_path / 'own.ckpt'}", "freeze=backbone"), ["a", "b"])
    before = {key: value.clone() for key, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network.train()
    predictions = network(torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8))
    (predictions.class_logits.mean() + predictions.box_deltas.mean()).backward()
    optimizer.step()
    changed = {key for key, value in network.state_dict().items() if not torch.equal(before[key], value)}
    assert changed
    assert not any(key.startswith("backbone.") for key in changed)


def test_freezing_needs_something_to_keep() -> None:
    with pytest.raises(ValueError, match="freeze=backbone: the backbone has no trained weights"):
        network_to_train(config("freeze=backbone"), ["a"])
    with pytest.raises(ValueError, match="freeze=head: expected none or backbone"):
        network_to_train(config("freeze=head"), ["a"])


def test_backbone_weights_by_published_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOLACT_PL_CACHE", str(tmp_path))
    theirs = small_network(1, seed=3).backbone.state_dict()
    torch.save(theirs, tmp_path / "resnet50-19c8e357.pth")  # only its name is that of a ResNet-50
    network = build_network(config("backbone.weights=imagenet_resnet50"), 2)
    torch.testing.assert_close(network.backbone.state_dict(), theirs)
    assert network.backbone.pretrained


@pytest.mark.parametrize(
    ("overrides", "step"),
    [
        ([], 0),
        (["start_step=12"], 12),
        (["start_step=auto", "init=weights/yolact_base_10_32100.pth"], 32100),
        (["start_step=auto", "init=my_yolact_2_0_77_interrupt.pth"], 77),
        (["start_step=auto", "init=yolact_plus_base"], 800_000),
    ],
)
def test_first_step(overrides: list[str], step: int) -> None:
    assert step_to_start_at(config(*overrides)) == step


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["start_step=auto"], "init, which is not given"),
        (["start_step=auto", "init=yolact_base.pth"], r"yolact_base\.pth is not of the form NAME_EPOCH_STEP"),
        (["start_step=auto", "init=own_1_2.ckpt"], r"own_1_2\.ckpt is not of the form .*resume=<checkpoint>"),
        (["start_step=-1"], "start_step=-1: expected auto or"),
        (["start_step=soon"], "start_step=soon: expected auto or"),
    ],
)
def test_no_first_step(overrides: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        step_to_start_at(config(*overrides))


def test_finetune_schedule() -> None:
    schedule = build(config("schedule=finetune").schedule)
    assert schedule.lr_at(0) < schedule.lr_at(500) == schedule.lr == 5e-4
    assert schedule.lr_at(schedule.max_steps - 1) == pytest.approx(5e-6)


def test_released_file_of_an_interrupted_training(tmp_path: Path) -> None:
    path = tmp_path / "mine_10_32100.pth"
    old = small_network(2, seed=1)
    torch.save(published(old), path)
    cfg = config(f"init={path}", "start_step=auto")
    network = network_to_train(cfg, ["a", "b"])
    torch.testing.assert_close(dict(network.state_dict()), dict(old.state_dict()))
    schedule = build(cfg.schedule).scaled(16, num_images=100).starting_at(step_to_start_at(cfg))
    # 800,000 steps of 8 images are 400,000 of 16, of which 32,100 are done; the rate is doubled
    assert schedule.run_steps == 367_900
    assert schedule.lr_at(0) == pytest.approx(2e-3)
    # the first milestone, at 140,000 steps of 16
    assert schedule.lr_at(107_899) == pytest.approx(2e-3)
    assert schedule.lr_at(107_900) == pytest.approx(2e-4)


def released_shapes_file(folder: Path) -> Path:
    """As the original would have left it, for the small network of the runs below and the five shapes."""
    path = folder / "shapes_im64_3_2.pth"
    torch.manual_seed(0)
    network = build_description(small_tree(5, channels=16, num_prototypes=32))
    assert isinstance(network, Yolact)
    torch.save(published(network), path)
    return path


PUBLISHED_WIDTH = "~backbone.width"


def test_run_goes_on_from_a_released_file(run_task: Callable[..., Any], tmp_path: Path) -> None:
    path = released_shapes_file(tmp_path)
    run_task(tmp_path / "run", PUBLISHED_WIDTH, f"init={path}", "start_step=auto", "freeze=backbone")
    content = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["global_step"] == 2  # of the four steps of the schedule two were done
    before, after = torch.load(path, weights_only=True), content["state_dict"]
    assert torch.equal(
        before["backbone.layers.0.0.conv1.weight"], after["network.backbone.layer1.0.conv1.weight"]
    )
    assert torch.equal(before["backbone.bn1.running_mean"], after["network.backbone.bn1.running_mean"])
    changed, old = after["network.head.shared.weight"], before["prediction_layers.0.upfeature.0.weight"]
    assert not torch.equal(changed, old)
    assert (changed - old).abs().max() < 0.1


def test_released_file_is_measured(run_task: Callable[..., Any], tmp_path: Path) -> None:
    path = released_shapes_file(tmp_path)
    anchors = ["model.network.anchors.reference_size=550", "model.network.anchors.scales=[24,48,96,192,384]"]
    square = ["model.network.anchors.square=true", "model.network.anchors.octaves=1"]
    score = run_task(tmp_path / "run", PUBLISHED_WIDTH, "task=eval", f"checkpoint={path}", *anchors, *square)
    assert score is not None
    assert 0 <= score < 0.5
    assert (tmp_path / "run" / "metrics.json").is_file()
