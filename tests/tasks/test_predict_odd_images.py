"""A folder of odd and damaged files: each is either done or named, and nothing else happens."""

import json
import logging
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from tests.inference.test_predictor import small_predictor
from tests.tasks.odd_images import KINDS, odd_files
from yolact_pl.cli.predict_options import OF_IMAGES
from yolact_pl.tasks import predict

OPTIONS = Path(__file__).parents[2] / "conf" / "task" / "predict.yaml"
MOST_MEMORY = 500
"""MiB more than before: less than a single image of the largest size that is read."""


def config(source: Path, output: Path, save: list[str]) -> DictConfig:
    own = {"source": str(source), "output": str(output), "save": save}
    cfg = OmegaConf.merge(OmegaConf.load(OPTIONS), own)
    assert isinstance(cfg, DictConfig)
    return cfg


def begin_to_watch_memory() -> int | None:
    """Resident MiB now; None where the system does not tell the peak from here on."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return memory("VmRSS")


def memory(kind: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith(f"{kind}:"))


@pytest.mark.parametrize("count", [60, pytest.param(200, marks=pytest.mark.slow)])
def test_each_file_is_done_or_named(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    save = [kind for kind in OF_IMAGES if count < 100 or kind != "prototypes"]  # which take their time
    files = odd_files(count)
    assert len(files) > 2 * len(KINDS)
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for file in files:
        (source / file.name).write_bytes(file.data)
    predictor = small_predictor().with_options(top_k=3)
    before = begin_to_watch_memory()
    monkeypatch.setattr(predict, "configured_predictor", lambda cfg: (predictor, [1]))
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(ValueError, match=rf"\d+ of {count} images could not") as told,
    ):
        predict.run(config(source, output, save))

    if before is not None:
        assert memory("VmHWM") - before < MOST_MEMORY
    done = {Path(entry["file"]).name for entry in json.loads((output / "predictions.json").read_text())}
    complaints = [r.getMessage() for r in caplog.records if r.getMessage().startswith("left out: ")]
    assert len(done) + len(complaints) == len(files)
    assert str(told.value).startswith(f"{len(complaints)} of {count} images")
    for file in files:
        named = [text for text in complaints if str(source / file.name) in text]
        assert len(named) == (file.name not in done), file.name
        assert all("\n" not in text and "Traceback" not in text for text in named)
        if file.readable is not None:
            assert (file.name in done) == file.readable, (file.name, named)
    for name in done:
        stem = Path(name).stem
        assert (output / f"{stem}.jpg").stat().st_size > 100
        assert (output / "masks" / f"{stem}.png").exists()
        assert "prototypes" not in save or (output / "prototypes" / f"{stem}.png").exists()
