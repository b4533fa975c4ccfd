"""Runs of the real tasks, made small."""

import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

ROOT = Path(__file__).parents[1]

TINY = [
    "experiment=shapes_published",
    "image_size=64",
    "+backbone.width=8",
    "model.network.channels=16",
    "dataset.num_train=10",
    "dataset.num_val=5",
    "dataset.picture_size=64",
    "dataset.batch_size=2",
    "dataset.num_workers=0",
    "schedule.max_steps=4",
    "schedule.batch_size=2",
    "schedule.warmup_steps=2",
    "schedule.lr=1e-3",
    "schedule.warmup_lr=1e-4",
    "trainer.accelerator=cpu",
    "trainer.val_check_interval=4",
    "trainer.log_every_n_steps=1",
    "callbacks.progress=null",
    "callbacks.evaluation.num_pictures=2",
    "logger=csv",
    "++report=false",
]
"""Half a second on one core."""
OWN_DATA = [
    *(o for o in TINY if not o.startswith(("dataset.num_train", "dataset.num_val", "dataset.picture_size"))),
    "dataset=coco_custom",
]
"""The same on files that further overrides name."""


def compose_config(overrides: list[str], output: Path) -> DictConfig:
    """The config as `run.py` composes it, writing to `output`."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("config", overrides=[*overrides, f"output={output}"], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


def assert_same_ap(evaluated: Path, trained: Path) -> None:
    """The numbers of task=eval are those of the validation in training to 1e-6."""
    one, other = (json.loads((folder / "metrics.json").read_text()) for folder in (evaluated, trained))
    assert one["images"] == other["images"]
    for kind in ("box", "mask"):
        assert one[kind] == pytest.approx(other[kind], abs=1e-6)
