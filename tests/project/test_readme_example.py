"""The Python examples of README.md and docs/library.md run as they stand, but for the checkpoint's name."""

import contextlib
import io
import logging
import random
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import yolact_pl
from tests.tiny_run import TINY, compose_config
from yolact_pl.checkpoints.description import ENTRY
from yolact_pl.config.build import build_network, describe
from yolact_pl.inference.video.reader import VideoReader
from yolact_pl.inference.video.writer import VideoWriter

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
CHECKPOINT = re.compile(r"(?<=yolact_pl\.load\()\"[^\"]+\"")
CLASSES = ("disc", "star", "ring")


def examples(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an untrained network that sees stars everywhere."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("readme")
    cfg = compose_config(TINY, folder)
    network = build_network(cfg, len(CLASSES), pretrained=False)
    bias = network.head.class_logits.bias
    assert isinstance(bias, torch.Tensor)
    with torch.no_grad():
        bias.view(-1, 1 + len(CLASSES))[:, 2] += 3
    data: Any = SimpleNamespace(
        num_classes=len(CLASSES), classes=CLASSES, category_ids=(1, 2, 3), value_range=None
    )
    state = {f"network.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": state, ENTRY: describe(cfg, data)}, folder / "tiny.ckpt")
    return folder / "tiny.ckpt"


def run_blocks(
    blocks: list[str], checkpoint: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], str]:
    """Run them one after the other beside a photo and a clip; gives their variables and what they printed."""
    pixels = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photo.jpg")
    with VideoWriter(folder / "clip.mp4", 25) as writer:
        for number in range(5):
            writer.write(pixels, number / 25)
    monkeypatch.chdir(folder)
    variables: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks:
            exec(CHECKPOINT.sub(lambda match: repr(str(checkpoint)), block), variables)
    return variables, printed.getvalue()


def test_the_readme_s_example(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [block for block in examples(ROOT / "README.md") if "yolact_pl.load" in block]
    assert blocks, "README.md has no example of the library"
    assert all(CHECKPOINT.search(block) for block in blocks)
    result, printed = run_blocks(blocks, checkpoint, tmp_path, monkeypatch)
    assert set(result["detections"].names) == {"star"}
    assert "star" in printed
    assert result["picture"].shape == (120, 160, 3)


def test_the_library_s_page(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = examples(ROOT / "docs" / "library.md")
    assert len(blocks) >= 6
    result, _ = run_blocks(blocks, checkpoint, tmp_path, monkeypatch)
    count = len(result["detections"])
    assert count > 0
    assert len(result["rows"]) == len(result["outlines"]) == len(result["area"]) == count
    assert [found.size for found in result["several"]] == [(120, 160), (120, 160), (300, 400)]
    assert len(result["sure"]) <= 5
    assert set(result["only"].names) <= {"disc"}
    assert result["counts"] == [count, count]
    assert (tmp_path / "drawn.png").exists()
    drawn = list(VideoReader(tmp_path / "drawn.mp4"))
    assert [frame.image.shape for frame in drawn] == [(120, 160, 3)] * 5


def test_loading_and_calling_change_nothing_global(checkpoint: Path) -> None:
    generator: Any = np.random.mtrand._rand  # the one that is not passed around
    state = (
        torch.get_default_dtype,
        torch.get_default_device,
        torch.get_num_threads,
        torch.is_grad_enabled,
        torch.are_deterministic_algorithms_enabled,
        torch.get_float32_matmul_precision,
        cv2.getNumThreads,
        random.getstate,
        lambda: torch.random.get_rng_state().tolist(),
        lambda: generator.get_state()[1].tolist(),
        lambda: list(logging.getLogger().handlers),
    )
    before = [read() for read in state]
    model = yolact_pl.load(checkpoint, device="cpu")
    found = model(np.full((40, 60, 3), 99, dtype=np.uint8), min_score=0.0, top_k=3)
    assert len(found) == 3
    assert [read() for read in state] == before


def test_importing_the_library_takes_nothing_along() -> None:
    code = (
        "import sys; import yolact_pl;"
        "heavy = {'torch', 'torchvision', 'cv2', 'numpy', 'pytorch_lightning', 'hydra'} & set(sys.modules);"
        "assert not heavy, heavy; assert callable(yolact_pl.load);"
        "assert not {'pytorch_lightning', 'hydra', 'av', 'matplotlib'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
