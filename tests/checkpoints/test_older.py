"""Checkpoints as earlier versions wrote them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf

from tests.checkpoints.checkpoint_files import content_of, small_network, small_tree
from yolact_pl.checkpoints.description import ENTRY, read_checkpoint
from yolact_pl.checkpoints.older import todays_description
from yolact_pl.checkpoints.stored import read_stored_network
from yolact_pl.config.build import build
from yolact_pl.decoders.anchor_decoder import AnchorDecoder
from yolact_pl.losses.terms.classification import SoftmaxFocalLoss
from yolact_pl.losses.yolact_loss import YolactLoss

OLD_LOSS = {
    "box_weight": 1.25,
    "class_weight": 2.0,
    "mask_weight": 15.0,
    "semantic_weight": 0.5,
    "mask_iou_weight": 20.0,
    "positive_iou": 0.6,
    "negative_iou": 0.3,
    "crowd_iou": 0.8,
    "max_masks": 300,
    "min_mask_area": 10,
}


def write_older(path: Path) -> Path:
    """Without a decoder, and with class paths and config keys that have changed."""
    tree = small_tree(2, backbone={"_target_": "yolact_pl.models.resnet.ResNet"})
    content = content_of(small_network(2), ["cat", "dog"], tree)
    content[ENTRY]["config"] = {
        "augment": {"_target_": "yolact_pl.data.transforms.SsdAugmentation", "expand": False},
        "dataset": {"augment": {"_target_": "yolact_pl.data.transforms.SsdAugmentation", "expand": False}},
        "model": {
            "network": tree,
            "postprocess": {"_target_": "yolact_pl.postprocess.Postprocess", "nms": "exact"},
            "loss": {
                "_target_": "yolact_pl.losses.yolact_loss.YolactLoss",
                "classification": {
                    "_target_": "yolact_pl.losses.classification.SoftmaxFocalLoss",
                    "gamma": 3.0,
                },
                **OLD_LOSS,
            },
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


@pytest.mark.parametrize("name", ["resnet.ResNet", "darknet.DarkNet53", "timm.TimmBackbone"])
def test_moved_backbones_are_found(name: str) -> None:
    older = {"backbone": {"_target_": f"yolact_pl.models.{name}"}}
    found = todays_description({"network": older})["network"]["backbone"]["_target_"]
    assert found == f"yolact_pl.models.backbones.{name}"
    assert get_class(found)


@pytest.mark.parametrize(("pretrained", "weights"), [(True, "imagenet"), (False, None)])
def test_pretrained_of_timm_is_weights(pretrained: bool, weights: str | None) -> None:
    backbone = {"_target_": "yolact_pl.models.backbones.timm.TimmBackbone", "name": "resnet10t"}
    older = {**backbone, "pretrained": pretrained}
    found = todays_description({"network": {"backbone": older}, "config": {"backbone": older}})
    assert found["network"]["backbone"] == found["config"]["backbone"] == {**backbone, "weights": weights}


def test_arguments_of_the_loss_are_those_of_its_terms(tmp_path: Path) -> None:
    config = read_checkpoint(write_older(tmp_path / "older.ckpt"))[ENTRY]["config"]
    loss: YolactLoss = build(OmegaConf.create(config["model"]["loss"]))
    terms: Any = loss.terms
    assert isinstance(loss.decoder, AnchorDecoder)
    assert isinstance(terms["class"], SoftmaxFocalLoss)
    assert terms["class"].gamma == 3.0
    assert {name: term.weight for name, term in terms.items()} == {
        "box": 1.25, "class": 2.0, "mask": 15.0, "semantic": 0.5, "mask_iou": 20.0,
    }  # fmt: skip
    assert vars(loss.assigner).items() >= {"positive_iou": 0.6, "negative_iou": 0.3, "crowd_iou": 0.8}.items()
    assert (terms["mask"].max_masks, terms["mask_iou"].max_masks, terms["mask_iou"].min_area) == (
        300,
        300,
        10,
    )


def test_todays_loss_stays_as_it_is(tmp_path: Path) -> None:
    first = read_checkpoint(write_older(tmp_path / "older.ckpt"))
    torch.save(first, tmp_path / "todays.ckpt")
    assert read_checkpoint(tmp_path / "todays.ckpt")[ENTRY] == first[ENTRY]
