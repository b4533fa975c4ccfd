"""The light distribution: in an environment of its own, with nothing of torch."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from setuptools.config.pyprojecttoml import load_file

from tests.inference.exported.drawn_graph import drawn_metadata, write_onnx
from tests.test_architecture import TORCH_FREE

ROOT = Path(__file__).parents[2]
PROJECT, WHOLE = load_file(ROOT / "runtime" / "pyproject.toml"), load_file(ROOT / "pyproject.toml")
NEEDED = (
    "numpy",
    "cv2",
    "PIL",
    "pillow",
    "onnxruntime",
    "typing_extensions",
    "google",
    "flatbuffers",
    "packaging",
)
"""Packages of this environment that the other one sees; `numpy.libs` and others belong to them."""
MOST_BYTES = 2_000_000

SCRIPT = """
import importlib.util, json, sys, time
import numpy as np
import yolact_pl
assert importlib.util.find_spec("torch") is None
model = yolact_pl.load(sys.argv[1])
image = np.full((100, 200, 3), 255, np.uint8)
found = model(image)
found.draw(image)
try:
    yolact_pl.load("yolact_base")
except ValueError as error:
    said = str(error)
print(json.dumps({
    "file": yolact_pl.__file__, "names": found.names, "areas": found.areas.tolist(), "said": said,
    "of": model.predictor.engine.meter.describe()["yolact_pl"],
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("yolact_pl", "runtime"):  # a copy: building leaves files beside the sources
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "build"))
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", f"--wheel-dir={folder}"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(folder / "runtime")], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_wheel_has_the_torch_free_modules_and_no_others(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.endswith(".py")}
        size = sum(entry.file_size for entry in archive.infolist())
        assert [name for name in archive.namelist() if name.endswith("/LICENSE")]
    rooms = [path.relative_to(ROOT) for path in (ROOT / "yolact_pl").rglob("*.py")]
    expected = {str(path) for path in rooms if str(path).removeprefix("yolact_pl/").startswith(TORCH_FREE)}
    expected -= {"yolact_pl/inference/engines/torch_engine.py"}
    assert packed == expected | {"yolact_pl/__init__.py", "yolact_pl/text_table.py"}
    assert size < MOST_BYTES


def test_is_of_the_same_version_and_licence() -> None:
    assert PROJECT["project"]["version"] == WHOLE["project"]["version"]
    assert (ROOT / "runtime" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    whole = {*WHOLE["project"]["dependencies"]}
    assert {*PROJECT["project"]["dependencies"]} <= whole


@pytest.mark.slow
def test_predicts_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    """Our wheel is installed there; what it needs is that of this environment, which saves a download."""
    environment, others = tmp_path / "environment", tmp_path / "others"
    venv.create(environment, symlinks=os.name != "nt")
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = ["--python", str(python), "install", "--no-deps", "--no-index", "--quiet", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    others.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if path.name.split(".")[0].split("-")[0].lower() in {name.lower() for name in NEEDED}:
            (others / path.name).symlink_to(path)
    model = write_onnx(tmp_path / "model.onnx", drawn_metadata())
    done = subprocess.run(
        [str(python), "-c", SCRIPT, str(model)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(others)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["file"].startswith(str(environment))
    assert told["names"] == ["dög", "cat"]
    assert told["areas"][1] == 100 * 200
    assert told["said"].startswith("yolact_base is no exported file: a checkpoint needs torch")
    assert told["of"] == PROJECT["project"]["version"]
