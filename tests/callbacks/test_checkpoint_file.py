"""Checkpoints are complete or not there."""

import errno
import os
from pathlib import Path

import pytest
import torch

from yolact_pl.callbacks.checkpoint_file import CheckpointWriteError, CompleteCheckpoints

OLD, NEW = {"weight": torch.zeros(3)}, {"weight": torch.ones(1000)}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "last.ckpt"
    for content in (OLD, NEW):
        CompleteCheckpoints().save_checkpoint(content, path)
    assert torch.equal(torch.load(path)["weight"], NEW["weight"])
    assert names(path.parent) == ["last.ckpt"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_full_disk_leaves_the_old_file(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    CompleteCheckpoints().save_checkpoint(OLD, path)

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*{"fsync": (os, "fsync", full), "replace": (Path, "replace", full)}[call])
    with pytest.raises(CheckpointWriteError, match=r"last.ckpt cannot be written \(No space left on device"):
        CompleteCheckpoints().save_checkpoint(NEW, path)
    assert torch.equal(torch.load(path)["weight"], OLD["weight"])
    assert names(tmp_path) == ["last.ckpt"]


def test_all_of_it_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    CompleteCheckpoints().save_checkpoint(OLD, path)
    seen = []

    def look(descriptor: int) -> None:
        seen.append(names(tmp_path))
        assert torch.equal(torch.load(path)["weight"], OLD["weight"])
        assert torch.equal(torch.load(tmp_path / "last.ckpt.partial")["weight"], NEW["weight"])

    monkeypatch.setattr(os, "fsync", look)
    CompleteCheckpoints().save_checkpoint(NEW, path)
    assert seen == [["last.ckpt", "last.ckpt.partial"]]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "run_0_5.ckpt.partial").write_bytes(b"half")
    CompleteCheckpoints().save_checkpoint(NEW, tmp_path / "run_0_9.ckpt")
    assert names(tmp_path) == ["run_0_9.ckpt"]
