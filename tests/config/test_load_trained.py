"""Checkpoints of the project and released files, with what the command line may say about them."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from tests.checkpoints.checkpoint_files import content_of, published, small_network
from yolact_pl.checkpoints.description import ENTRY, CheckpointError
from yolact_pl.cli.main import config_folder
from yolact_pl.config.build import describe
from yolact_pl.config.trained import load_trained


@pytest.fixture(autouse=True)
def forget_hydra() -> Iterator[None]:
    yield
    HydraConfig.instance().cfg = None


def command_line(*overrides: str) -> DictConfig:
    """The config as a task gets it."""
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        cfg = compose("config", overrides=["task=eval", *overrides], return_hydra_config=True)
    with open_dict(cfg):
        cfg.hydra.runtime.output_dir = "outputs/now"
    HydraConfig.instance().set_config(cfg)
    run = cfg.copy()
    with open_dict(run):
        run.pop("hydra")
        run.name = "test"
        run.output = "outputs/now"
    return run


SMALL = [
    "backbone=r18",
    "backbone.depths=[1,1,1,1]",
    "model.network.channels=8",
    "model.network.num_prototypes=4",
]


class Data:
    num_classes = 2
    classes = ("cat", "dog")
    category_ids = (3, 7)
    value_range = None


@pytest.fixture
def own(tmp_path: Path) -> Path:
    network = small_network(2, seed=1)
    content = content_of(network, ["cat", "dog"], {})
    cfg = command_line(*SMALL, "image_size=64", "model.postprocess.max_detections=7")
    content[ENTRY] = dict(describe(cfg, Data()))  # pyright: ignore
    torch.save(content, tmp_path / "own.ckpt")
    return tmp_path / "own.ckpt"


def test_own_checkpoint_needs_nothing_else(own: Path) -> None:
    description = torch.load(own, weights_only=True)[ENTRY]
    assert description["network"]["backbone"]["weights"] is None
    assert description["config"]["backbone"]["weights"] == "imagenet"  # how the run was made
    trained = load_trained(command_line(f"checkpoint={own}"))
    assert trained.network.backbone.pretrained
    assert (trained.class_names, trained.category_ids) == (["cat", "dog"], [3, 7])
    assert trained.cfg.image_size == 64
    assert trained.cfg.model.postprocess.max_detections == 7
    expected = small_network(2, seed=1).state_dict()
    torch.testing.assert_close(dict(trained.network.state_dict()), dict(expected))


def test_config_from_before_optimizers_were_a_group(own: Path) -> None:
    content = torch.load(own, weights_only=True)
    del content[ENTRY]["config"]["optimizer"]
    torch.save(content, own)
    trained = load_trained(command_line(f"checkpoint={own}", "schedule=pascal_120k"))
    assert trained.cfg.schedule.optimizer.momentum == 0.9


def test_own_checkpoint_with_another_image_size(own: Path) -> None:
    trained = load_trained(command_line(f"checkpoint={own}", "image_size=[96,128]"))
    assert list(trained.cfg.dataset.image_size) == [96, 128]
    assert trained.network.anchors.scales[0] == (4,)  # 24 x sqrt(96 x 128) / 550 = 4.8
    assert load_trained(command_line(f"checkpoint={own}")).network.anchors.scales[0] == (2,)  # 24 x 64 / 550


def test_own_checkpoint_with_another_network_on_the_command_line(own: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"backbone\.depths is \[1, 1, 1, 1\] in the file, \[2, 2, 2, 2\]"
    ):
        load_trained(command_line(f"checkpoint={own}", "backbone=r18"))
    load_trained(command_line(f"checkpoint={own}", *SMALL, "model=yolact"))


@pytest.fixture
def released(tmp_path: Path) -> Path:
    path = tmp_path / "yolact_small_im400_54_800000.pth"
    torch.save(published(small_network(80, seed=1)), path)
    return path


def test_released_file_needs_nothing_else(released: Path) -> None:
    trained = load_trained(command_line(f"checkpoint={released}"))
    torch.testing.assert_close(
        dict(trained.network.state_dict()), dict(small_network(80, seed=1).state_dict())
    )
    assert trained.network.backbone.pretrained
    assert len(trained.class_names) == 80
    assert (trained.class_names[79], trained.category_ids[79]) == ("toothbrush", 90)
    assert trained.cfg.image_size == 400
    assert trained.cfg.dataset.image_size == 400
    assert trained.network.anchors.scales[0] == (17,)  # 24 x 400 / 550 = 17.45
    assert trained.cfg.backbone == trained.cfg.model.network.backbone
    assert list(trained.cfg.model.network.backbone.depths) == [1, 1, 1, 1]
    assert OmegaConf.select(trained.cfg, "model.postprocess.nms") == "fast"


def test_config_of_a_released_file_describes_its_network(released: Path) -> None:
    trained = load_trained(command_line(f"checkpoint={released}", "model.postprocess.nms=exact"))
    assert trained.cfg.model.postprocess.nms == "exact"
    again = describe(trained.cfg, Data())  # pyright: ignore
    assert again["image_size"] == [400, 400]
    assert again["network"]["backbone"]["depths"] == [1, 1, 1, 1]


def test_overridden_image_size(released: Path) -> None:
    trained = load_trained(command_line(f"checkpoint={released}", "image_size=[300,500]"))
    assert list(trained.cfg.image_size) == [300, 500]
    assert trained.network.anchors.scales[0] == (16,)  # 24 x sqrt(300 x 500) / 550 = 16.9


def test_what_agrees_may_be_named(released: Path) -> None:
    load_trained(command_line(f"checkpoint={released}", *SMALL, "model=yolact"))


def test_single_anchor_keys_are_believed(released: Path) -> None:
    scales = "model.network.anchors.scales=[10,20,30,40,50]"
    trained = load_trained(command_line(f"checkpoint={released}", scales, "image_size=550"))
    assert trained.network.anchors.scales == ((10,), (20,), (30,), (40,), (50,))
    named = (*SMALL, scales, "image_size=550", "model=yolact")
    trained = load_trained(command_line(f"checkpoint={released}", *named))
    assert trained.network.anchors.scales[0] == (10,)
    with pytest.raises(CheckpointError, match="wrong shape"):
        load_trained(command_line(f"checkpoint={released}", "model.network.anchors.octaves=3"))


@pytest.mark.parametrize(
    ("overrides", "differences"),
    [
        (
            ["backbone=r50"],
            [
                "backbone.depths is [1, 1, 1, 1] in the file, [3, 4, 6, 3] on the command line",
                "backbone.block is basic in the file, bottleneck on the command line",
            ],
        ),
        (
            ["backbone=darknet53"],
            ["backbone._target_ is yolact_pl.models.backbones.resnet.ResNet in the file, "],
        ),
        (
            ["model=yolact_plus"],
            [
                "backbone.deformable is False in the file, True on the command line",
                "anchors.octaves is 1 in the file, 3 on the command line",
                "anchors.square is True in the file, False on the command line",
                "mask_iou is False in the file, True on the command line",
                "channels is 8 in the file, 256 on the command line",
            ],
        ),
        (
            ["experiment=yolact_resnet50_pascal"],
            ["backbone.block is", "anchors.scales is [24, 48, 96, 192, 384] in"],
        ),
        (["model.network.num_prototypes=64"], ["num_prototypes is 4 in the file, 64 on the command line"]),
        (["backbone.block=bottleneck"], ["backbone.block is basic in the file"]),
    ],
)
def test_disagreements_are_listed(released: Path, overrides: list[str], differences: list[str]) -> None:
    with pytest.raises(CheckpointError, match="not of the network that the command line names") as error:
        load_trained(command_line(f"checkpoint={released}", *overrides))
    for difference in differences:
        assert difference in str(error.value)
    if "backbone=r50" in overrides:  # the default model was not named
        assert "channels" not in str(error.value)


def test_published_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOLACT_PL_CACHE", str(tmp_path))
    torch.save(published(small_network(80)), tmp_path / "yolact_im700_54_800000.pth")
    trained = load_trained(command_line("checkpoint=yolact_im700"))
    assert trained.path == tmp_path / "yolact_im700_54_800000.pth"
    assert trained.cfg.image_size == 700


def write_set(folder: Path, names: list[str]) -> list[str]:
    """A data set with a single image and one object of each class, in the order of its ids."""
    annotations = [
        {"id": n, "image_id": 1, "category_id": n, "bbox": [0, 0, 8, 8], "area": 64, "iscrowd": 0,
         "segmentation": [[0, 0, 8, 0, 8, 8, 0, 8]]}
        for n in range(len(names))
    ]  # fmt: skip
    content = {
        "images": [{"id": 1, "file_name": "1.png", "width": 16, "height": 16}],
        "categories": [{"id": n, "name": name} for n, name in enumerate(names)],
        "annotations": annotations,
    }
    (folder / "val.json").write_text(json.dumps(content))
    cv2.imwrite(str(folder / "1.png"), np.zeros((16, 16, 3), np.uint8))
    return ["dataset=coco_custom", f"dataset.val_json={folder / 'val.json'}", f"dataset.val_images={folder}"]


def test_classes_are_matched_by_name(own: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = load_trained(command_line(f"checkpoint={own}", *write_set(tmp_path, ["dog", "cat"]))).data()
    assert data.classes == ("cat", "dog")
    assert list(data.category_ids) == [1, 0]
    assert "matched by name" in caplog.text
    other = load_trained(command_line(f"checkpoint={own}", *write_set(tmp_path, ["cat", "bird"])))
    with pytest.raises(CheckpointError, match="only the checkpoint has dog; only the data set has bird"):
        other.data()


def test_classes_of_released_weights(
    released: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained = load_trained(command_line(f"checkpoint={released}", *write_set(tmp_path, ["cat", "dog"])))
    with pytest.raises(CheckpointError, match="knows 80 classes, the data set has 2"):
        trained.data()
    names = [*trained.class_names[:79], "hairbrush"]
    load_trained(command_line(f"checkpoint={released}", *write_set(tmp_path, names))).data()
    assert "'hairbrush' of the data set is taken for their 'toothbrush'" in caplog.text


def test_not_a_network(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "resnet.pth")
    with pytest.raises(
        CheckpointError, match=r"resnet\.pth: no weight prediction_layers.*not a released YOLACT"
    ):
        load_trained(command_line(f"checkpoint={tmp_path / 'resnet.pth'}"))
