from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.checkpoints.checkpoint_files import published, small_network, small_tree, write_own
from yolact_pl.checkpoints.description import CheckpointError, build_network
from yolact_pl.checkpoints.initial import load_initial_weights
from yolact_pl.checkpoints.released_classes import COCO_CLASSES
from yolact_pl.models.yolact import Yolact

OwnFile = Callable[..., tuple[Path, Yolact]]


@pytest.fixture
def own_file(tmp_path: Path) -> OwnFile:
    def write(class_names: list[str], **changes: Any) -> tuple[Path, Yolact]:
        return tmp_path / "own.ckpt", write_own(tmp_path / "own.ckpt", class_names, **changes)

    return write


def rows_by_hand(
    before: Tensor, old: Tensor, names: Sequence[str], old_names: Sequence[str], blocks: int, background: int
) -> Tensor:
    """Row by row: block b has its background at b x (1 + C), class c at b x (1 + C) + 1 + c."""
    expected = before.clone()
    for b in range(blocks):
        start, old_start = b * (background + len(names)), b * (background + len(old_names))
        if background:
            expected[start] = old[old_start]
        for c, name in enumerate(names):
            if name in old_names:
                expected[start + background + c] = old[old_start + background + old_names.index(name)]
    return expected


def check_class_rows(
    network: Yolact, before: dict[str, Tensor], old: Yolact, names: Sequence[str], old_names: Sequence[str]
) -> None:
    after, source = network.state_dict(), old.state_dict()
    for layer, blocks, background in (
        ("head.class_logits", 3, 1),
        ("semantic", 1, 0),
        ("mask_iou.ious", 1, 0),
    ):
        for key in (f"{layer}.weight", f"{layer}.bias"):
            if key in after:
                expected = rows_by_hand(before[key], source[key], names, old_names, blocks, background)
                torch.testing.assert_close(after[key], expected, rtol=0, atol=0)


def clone(network: Yolact) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in network.state_dict().items()}


def test_rows_of_classes_with_the_same_name_are_taken(own_file: OwnFile) -> None:
    old_names, names = ["car", "dog", "cat", "bus"], ["ufo", "cat", "car"]
    path, old = own_file(old_names, mask_iou=True)
    network = small_network(3, mask_iou=True)
    before = clone(network)
    report = load_initial_weights(network, path, names)
    check_class_rows(network, before, old, names, old_names)
    after = network.state_dict()
    for key in ("backbone.layer3.0.bn2.running_mean", "fpn.laterals.0.weight", "head.box_deltas.bias"):
        torch.testing.assert_close(after[key], old.state_dict()[key], rtol=0, atol=0)
    assert report.reused_classes == ("cat", "car")
    assert report.new_classes == ("ufo",)
    assert report.reinitialised == report.unused == ()
    assert set(report.loaded) == {key for key in after if "num_batches" not in key}
    assert network.backbone.pretrained


@settings(max_examples=12, deadline=None)
@given(
    old_names=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6, unique=True),
    names=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6, unique=True),
)
def test_rows_of_any_classes(
    old_names: list[str], names: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "own.ckpt"
    old = write_own(path, old_names)
    network = small_network(len(names))
    before = clone(network)
    report = load_initial_weights(network, path, names)
    check_class_rows(network, before, old, names, old_names)
    assert set(report.reused_classes) == set(names) & set(old_names)
    # Without a common class only the background is known, and the semantic branch has none.
    assert ("semantic.weight" in report.reinitialised) == (not set(names) & set(old_names))


def test_no_common_class_still_takes_the_background(own_file: OwnFile) -> None:
    path, old = own_file(["car", "dog"])
    network = small_network(2)
    before = clone(network)
    report = load_initial_weights(network, path, ["cell", "nucleus"])
    check_class_rows(network, before, old, ["cell", "nucleus"], ["car", "dog"])
    assert "head.class_logits.weight" in report.loaded
    assert report.reinitialised == ("semantic.weight", "semantic.bias")
    assert report.unused == ("semantic.weight", "semantic.bias")
    torch.testing.assert_close(network.state_dict()["semantic.bias"], before["semantic.bias"])


def test_coco_names_are_known_for_released_files(tmp_path: Path) -> None:
    old = small_network(80, seed=1)
    torch.save(published(old), tmp_path / "yolact_base_54_800000.pth")
    network = small_network(2)
    before = clone(network)
    report = load_initial_weights(network, tmp_path / "yolact_base_54_800000.pth", ["zebra", "okapi"])
    check_class_rows(network, before, old, ["zebra", "okapi"], list(COCO_CLASSES))
    assert report.reused_classes == ("zebra",)


def test_classes_without_names_are_the_same_if_as_many(tmp_path: Path) -> None:
    old = small_network(3, seed=1)
    path = tmp_path / "mine_10_32100.pth"
    torch.save(published(old), path)
    network = small_network(3)
    report = load_initial_weights(network, path, ["a", "b", "c"])
    assert report.reused_classes == ("a", "b", "c")
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, old.state_dict()[key], rtol=0, atol=0)
    report = load_initial_weights(small_network(2), path, ["a", "b"])
    assert report.reused_classes == ()


def test_plain_weights_for_yolact_plus(own_file: OwnFile) -> None:
    path, old = own_file(["car", "dog"])
    plus: dict[str, Any] = {"octaves": 3, "mask_iou": True, "backbone": {"deformable": True}}
    network = small_network(2, **plus)
    before = clone(network)
    report = load_initial_weights(network, path, ["car", "dog"])
    after = network.state_dict()
    # Nine anchors a cell instead of three: no row of the head belongs to another.
    for key in ("head.class_logits.weight", "head.box_deltas.weight", "mask_iou.ious.weight"):
        assert key in report.reinitialised
        torch.testing.assert_close(after[key], before[key], rtol=0, atol=0)
    assert "backbone.layer2.0.conv2.weight" in report.loaded
    torch.testing.assert_close(after["semantic.weight"], old.state_dict()["semantic.weight"])
    offsets = [key for key in report.reinitialised if key.startswith("backbone.")]
    assert offsets
    assert all(".conv2." in key for key in offsets)
    assert network.backbone.pretrained  # batch norm has its statistics


def test_longer_backbone_is_not_pretrained(own_file: OwnFile) -> None:
    path, _ = own_file(["car", "dog"])
    network = small_network(2, backbone={"depths": [1, 1, 2, 1]})
    report = load_initial_weights(network, path, ["car", "dog"])
    assert "backbone.layer3.1.bn1.running_var" in report.reinitialised
    assert not network.backbone.pretrained


def test_table(own_file: OwnFile) -> None:
    path, _ = own_file(["car", "dog"], mask_iou=True)
    network = small_network(3)
    table = load_initial_weights(network, path, ["dog", "ufo", "yeti"]).table().splitlines()
    assert table[0].split() == ["initial", "weights", "loaded", "re-initialised", "unused"]
    rows = {line.split()[0]: line.split()[1:] for line in table[1:]}
    assert rows["semantic"] == ["2", "0", "0"]
    assert rows["mask_iou"] == ["0", "0", "12"]  # six convolutions with a bias
    assert rows["fpn"] == ["16", "0", "0"]  # three laterals, three predictions, two downsamples
    assert rows["total"][1:] == ["0", "12"]
    text = "\n".join(table)
    assert "classes re-used          1  dog" in text
    assert "classes new              2  ufo, yeti" in text
    assert "unused                  12  mask_iou.convs.0.weight, mask_iou.convs.0.bias" in text


def test_old_leftovers_are_unused(tmp_path: Path) -> None:
    state = published(small_network(2, seed=1))
    state["backbone.layer1.0.conv1.weight"] = torch.zeros(64, 64, 3, 3)
    state["fpn.downsample_layers.2.weight"] = torch.zeros(8, 8, 3, 3)
    torch.save(state, tmp_path / "old.pth")
    network = small_network(2)
    report = load_initial_weights(network, tmp_path / "old.pth", ["a", "b"])
    assert report.unused == ("backbone.layer1.0.conv1.weight", "fpn.downsample_layers.2.weight")
    expected = state["backbone.layers.0.0.conv1.weight"]
    torch.testing.assert_close(network.state_dict()["backbone.layer1.0.conv1.weight"], expected)


def test_what_fits_nothing_is_an_error(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.bias": torch.zeros(3)}, tmp_path / "r50.pth")
    network = small_network(2)
    before = clone(network)
    with pytest.raises(
        CheckpointError, match=r"r50\.pth: none of its 2 weights fits .* conv1\.weight.*backbone\.weights"
    ):
        load_initial_weights(network, tmp_path / "r50.pth", ["a", "b"])
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_bad_files(tmp_path: Path) -> None:
    network = build_network(small_tree(1))
    assert isinstance(network, Yolact)
    with pytest.raises(CheckpointError, match=r"none\.ckpt': no such file, and no published name"):
        load_initial_weights(network, tmp_path / "none.ckpt", ["a"])
    torch.save({"epoch": 3, "state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match=r"other\.ckpt has 'epoch', a int; expected named tensors only"):
        load_initial_weights(network, tmp_path / "other.ckpt", ["a"])
