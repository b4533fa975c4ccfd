"""Checkpoints as earlier versions wrote them."""

from pathlib import Path

import pytest
import torch

from tests.checkpoints.checkpoint_files import content_of, small_network, small_tree
from yolact_pl.checkpoints.description import ENTRY, read_checkpoint
from yolact_pl.checkpoints.older import todays_description
from yolact_pl.checkpoints.stored import read_stored_network
from yolact_pl.decoders.anchor_decoder import AnchorDecoder


def write_older(path: Path) -> Path:
    """Without a decoder, and with class paths and config keys that have changed."""
    content = content_of(small_network(2), ["cat", "dog"], small_tree(2))
    content[ENTRY]["config"] = {
        "augment": {"_target_": "yolact_pl.data.transforms.SsdAugmentation", "expand": False},
        "dataset": {"augment": {"_target_": "yolact_pl.data.transforms.SsdAugmentation", "expand": False}},
        "model": {
            "network": small_tree(2),
            "postprocess": {"_target_": "yolact_pl.postprocess.Postprocess", "nms": "exact"},
        },
    }
    torch.save(content, path)
    return path


def test_older_checkpoints_have_the_published_decoder(tmp_path: Path) -> None:
    stored = read_stored_network(write_older(tmp_path / "older.ckpt"))
    assert isinstance(stored.build_decoder(), AnchorDecoder)
    assert stored.config is not None
    decoder = {"_target_": "yolact_pl.decoders.anchor_decoder.AnchorDecoder"}
    assert stored.config["model"]["decoder"] == decoder
    assert stored.config["model"]["postprocess"]["decoder"] == decoder


def test_moved_classes_are_found(tmp_path: Path) -> None:
    config = read_checkpoint(write_older(tmp_path / "older.ckpt"))[ENTRY]["config"]
    moved = {"_target_": "yolact_pl.data.augmentation.transforms.SsdAugmentation", "expand": False}
    assert config["augment"] == config["dataset"]["augment"] == moved


@pytest.mark.parametrize(("pretrained", "weights"), [(True, "imagenet"), (False, None)])
def test_pretrained_of_timm_is_weights(pretrained: bool, weights: str | None) -> None:
    backbone = {"_target_": "yolact_pl.models.timm.TimmBackbone", "name": "resnet10t"}
    older = {**backbone, "pretrained": pretrained}
    found = todays_description({"network": {"backbone": older}, "config": {"backbone": older}})
    assert found["network"]["backbone"] == found["config"]["backbone"] == {**backbone, "weights": weights}
