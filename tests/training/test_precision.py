"""`trainer.precision` and `trainer.benchmark`: what the Trainer gets of them."""

import logging
from pathlib import Path

import pytest
import torch

from tests.tiny_run import TINY, compose_config
from yolact_pl.training.trainer import build_trainer

NATIVE, EMULATED = {"avx512_bf16": True}, {"avx2": True, "avx512_f": True}


@pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
def test_weights_in_16_bits_are_refused(precision: str, tmp_path: Path) -> None:
    cfg = compose_config([*TINY, f"trainer.precision={precision}"], tmp_path)
    with pytest.raises(
        ValueError, match=f"trainer.precision={precision}: 16 bits are too coarse for anchors"
    ):
        build_trainer(cfg, [])


@pytest.mark.parametrize(
    ("precision", "capabilities", "used"),
    [
        ("bf16-mixed", NATIVE, "bf16-mixed"),
        ("bf16-mixed", EMULATED, "32-true"),
        ("16-mixed", EMULATED, "32-true"),
        ("32", EMULATED, "32-true"),
    ],
)
def test_cpu_without_bfloat16_trains_in_float32(
    precision: str,
    capabilities: dict[str, bool],
    used: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    cfg = compose_config([*TINY, f"trainer.precision={precision}"], tmp_path)
    with caplog.at_level(logging.WARNING):
        assert build_trainer(cfg, []).precision == used
    said = [message for message in caplog.messages if message.startswith(f"trainer.precision={precision}: ")]
    assert len(said) == (used == "32-true" and precision != "32")


@pytest.mark.parametrize(
    ("overrides", "wanted"),
    [
        ([], True),
        (["resize=letterbox"], True),
        (["resize=shortest_edge", "image_size=[64,96]"], False),
        (["resize=shortest_edge", "image_size=[64,96]", "trainer.benchmark=true"], True),
        (["dataset.multi_scale=[0.5,1.5]"], False),
        (["trainer.benchmark=false"], False),
    ],
)
def test_kernels_are_timed_where_sizes_are_fixed(
    overrides: list[str], wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", not wanted)
    build_trainer(compose_config([*TINY, *overrides], tmp_path), [])
    assert torch.backends.cudnn.benchmark == wanted
