"""Files in the published layout that others trained: what is assumed of them, and what can be given."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

import yolact_pl
from tests.checkpoints.checkpoint_files import published, small_network, write_own
from tests.tiny_run import compose_config
from yolact_pl.checkpoints.description import CheckpointError
from yolact_pl.checkpoints.released_classes import COCO_CLASSES, PASCAL_CLASSES
from yolact_pl.checkpoints.stored import read_stored_network
from yolact_pl.cli.predictor import configured_predictor

COCO, PASCAL = [24, 48, 96, 192, 384], [32, 64, 128, 256, 512]
PASCAL_FILE = "yolact_resnet50_pascal_54_120000.pth"


def write(path: Path, num_classes: int, **changes: Any) -> Path:
    torch.save(published(small_network(num_classes, **changes)), path)
    return path


@pytest.mark.parametrize(
    ("name", "num_classes", "classes", "scales", "square"),
    [
        ("mine_12_3456.pth", 3, ["class 1", "class 2", "class 3"], COCO, True),
        ("mine_12_3456.pth", 20, [f"class {number}" for number in range(1, 21)], COCO, True),
        ("mine_12_3456.pth", 80, COCO_CLASSES, COCO, True),
        ("yolact_resnet50_pascal_mine_1_2.pth", 20, PASCAL_CLASSES, PASCAL, False),
        ("yolact_resnet50_pascal_mine_1_2.pth", 2, ["class 1", "class 2"], PASCAL, False),
        (PASCAL_FILE, 20, PASCAL_CLASSES, PASCAL, False),
        ("yolact_base_54_800000.pth", 80, COCO_CLASSES, COCO, True),
    ],
)
def test_what_is_assumed_is_told_once(
    name: str,
    num_classes: int,
    classes: list[str],
    scales: list[int],
    square: bool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stored = read_stored_network(write(tmp_path / name, num_classes))
    anchors = stored.tree["anchors"]
    assert stored.class_names == list(classes)
    assert (anchors["scales"], anchors["square"], anchors["octaves"]) == (scales, square, 1)
    if "_54_" in name:
        assert caplog.messages == []
    else:
        (told,) = caplog.messages
        assert f"{num_classes} classes {classes[0]!r} to {classes[-1]!r}, anchors of scales {scales}" in told


def test_what_is_given_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "mine.pth", 3)
    stored = read_stored_network(path, class_names=["a", "b", "c"], anchors="pascal")
    assert (stored.class_names, stored.category_ids) == (["a", "b", "c"], [1, 2, 3])
    assert stored.tree["anchors"]["scales"] == PASCAL
    assert caplog.messages == []
    own = [10, 20, 40, 80, 160]
    model = yolact_pl.load(path, device="cpu", class_names=["a", "b", "c"], anchors={"scales": own})
    assert model.class_names == ("a", "b", "c")
    assert caplog.messages == []
    anchors = read_stored_network(path, anchors={"scales": own}).tree["anchors"]
    assert (anchors["scales"], anchors["square"], anchors["ratios"]) == (own, True, [1.0, 0.5, 2.0])
    coco = read_stored_network(write(tmp_path / "coco.pth", 80), class_names=COCO_CLASSES)
    assert coco.category_ids[-1] == 90
    six = write(tmp_path / "six.pth", 3, octaves=2)
    assert read_stored_network(six, anchors={"octaves": 2}).build().anchors.num_per_cell == 6


def test_the_command_line_gives_both(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.pth", 2)
    wanted = ["task=predict", f"checkpoint={path}", "device=cpu", "class_names=[cat,7]"]
    predictor, _ = configured_predictor(compose_config([*wanted, "anchors=pascal", "classes=[7]"], tmp_path))
    assert predictor.class_names == ("cat", "7")
    assert predictor.request.labels == {1}
    network = predictor.engine.network  # pyright: ignore[reportAttributeAccessIssue]
    assert network.anchors.scales[0] == (32,)
    scales = "anchors={scales:[10,20,40,80,160]}"
    predictor, _ = configured_predictor(compose_config([*wanted, scales], tmp_path))
    network = predictor.engine.network  # pyright: ignore[reportAttributeAccessIssue]
    assert network.anchors.scales[0] == (10,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"class_names": ["a", "b"]}, r"class_names: 2 names, but .*mine\.pth has 3 classes"),
        ({"class_names": ["a", "b", "a"]}, "class_names: 'a' is there twice"),
        ({"class_names": "abc"}, "expected a list of names"),
        ({"anchors": "voc"}, "anchors=voc: expected coco, pascal, plus"),
        ({"anchors": "plus"}, r"mine\.pth: has 3 anchors a cell, but anchors= gives 3 octaves of 3 ratios"),
        ({"anchors": {"scale": [1]}}, "unknown key 'scale'"),
        ({"anchors": {"scales": [1, 2]}}, "2 scales, expected 5"),
        ({"anchors": {"scales": 24}}, "scales is 24, expected a list"),
        ({"anchors": {"ratios": [1, -1, 2]}}, "ratios is .*above 0"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "mine.pth", 3)
    with pytest.raises(CheckpointError, match=message):
        read_stored_network(path, **given)


def test_a_checkpoint_that_describes_itself_keeps_its_anchors(tmp_path: Path) -> None:
    write_own(tmp_path / "own.ckpt", ["cat", "dog"])
    renamed = read_stored_network(tmp_path / "own.ckpt", class_names=["chat", "chien"])
    assert (renamed.class_names, renamed.category_ids) == (["chat", "chien"], [1, 2])
    with pytest.raises(CheckpointError, match="says its anchors itself"):
        read_stored_network(tmp_path / "own.ckpt", anchors="coco")


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
@pytest.mark.parametrize("wrapped", [False, True])
def test_wrappers_of_weights_are_taken_off(
    prefix: str, wrapped: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    network = small_network(2)
    state = {prefix + key: value for key, value in published(network).items()}
    content = {"state_dict": state, "epoch": 3, "optimizer": {"state": {}}} if wrapped else state
    torch.save(content, tmp_path / "mine.pth")
    weights = read_stored_network(tmp_path / "mine.pth").build().state_dict()
    torch.testing.assert_close(dict(weights), dict(network.state_dict()))
