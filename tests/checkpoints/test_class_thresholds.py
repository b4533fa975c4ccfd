"""Thresholds of each class beside the weights."""

from pathlib import Path
from typing import Any

import pytest
import torch

import yolact_pl
from tests.checkpoints.checkpoint_files import published, small_network, write_own
from yolact_pl.checkpoints.class_thresholds import KEY, write_with_thresholds
from yolact_pl.checkpoints.description import CheckpointError
from yolact_pl.checkpoints.stored import read_stored_network


def test_a_copy_has_the_thresholds_and_all_else(tmp_path: Path) -> None:
    source, copy = tmp_path / "own.ckpt", tmp_path / "new" / "copy.ckpt"
    write_own(source, ["cat", "dog"])
    before = source.read_bytes()
    write_with_thresholds(source, copy, [0.25, 0.5])
    assert source.read_bytes() == before
    assert read_stored_network(source).class_thresholds is None
    assert read_stored_network(copy).class_thresholds == (0.25, 0.5)
    contents = [torch.load(path, weights_only=True) for path in (source, copy)]
    assert contents[1].pop(KEY) == [0.25, 0.5]
    assert contents[0].keys() == contents[1].keys()
    for name, weight in contents[0]["state_dict"].items():
        assert torch.equal(weight, contents[1]["state_dict"][name])
    assert [path.name for path in copy.parent.iterdir()] == ["copy.ckpt"]
    model = yolact_pl.load(copy, device="cpu", min_score="auto")
    assert model.predictor.request.class_min_scores == (0.25, 0.5)


def test_released_weights_have_no_place_for_them(tmp_path: Path) -> None:
    source = tmp_path / "released.pth"
    torch.save(published(small_network(20)), source)
    with pytest.raises(CheckpointError, match=r"released\.pth holds released weights only"):
        write_with_thresholds(source, tmp_path / "copy.ckpt", [0.5] * 20)
    assert [path.name for path in tmp_path.iterdir()] == ["released.pth"]


@pytest.mark.parametrize("thresholds", [[0.5], [0.5, 1.5], [0.5, "0.5"], 0.5])
def test_unusable_thresholds_are_told(tmp_path: Path, thresholds: Any) -> None:
    path = tmp_path / "own.ckpt"
    write_own(path, ["cat", "dog"])
    torch.save(torch.load(path, weights_only=True) | {KEY: thresholds}, path)
    with pytest.raises(CheckpointError, match=r"own\.ckpt: its class_thresholds are not one number"):
        read_stored_network(path)
