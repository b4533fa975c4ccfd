"""What is installed: everything that is imported, and the configs."""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from setuptools.config.pyprojecttoml import load_file

ROOT = Path(__file__).parents[2]
FOLDERS = ("yolact_pl", "ops", "hydra_plugins")
PROJECT = load_file(ROOT / "pyproject.toml")["project"]
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def name_of(requirement: str) -> str:
    """`pytorch-lightning>=2.5` to `pytorch-lightning`, in the form that compares equal."""
    name = re.match(r"[\w.-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def declared() -> set[str]:
    """What the installation asks for, optional extras for users included."""
    extras = PROJECT["optional-dependencies"]
    groups = [PROJECT["dependencies"], *(extras[name] for name in extras if name != "dev")]
    return {name_of(line) for group in groups for line in group}


def test_every_import_is_declared() -> None:
    imported = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
    foreign = imported - sys.stdlib_module_names - {*FOLDERS}
    distributions, names = packages_distributions(), declared()

    def is_declared(module: str) -> bool:
        """By the name of its distribution; an extra that is not installed by its own."""
        return not names.isdisjoint(name_of(name) for name in distributions.get(module, [module]))

    missing = {module for module in foreign if not is_declared(module)}
    assert {"torch", "hydra", "cv2"} <= foreign
    assert not missing


def test_every_extra_that_is_recommended_exists() -> None:
    places = [*SOURCES, *ROOT.glob("conf/**/*.yaml"), *ROOT.glob("docs/*.md"), ROOT / "README.md"]
    recommended = {name for path in places for name in re.findall(r"yolact-pl\[(\w+)\]", path.read_text())}
    assert {"sweep", "wandb", "mlflow", "slurm", "timm", "lite", "convert"} <= recommended
    assert recommended <= set(PROJECT["optional-dependencies"])


@pytest.mark.slow
def test_wheel_has_all_modules_and_configs_and_starts_anywhere(tmp_path: Path) -> None:
    source, unpacked = tmp_path / "source", tmp_path / "unpacked"
    for name in (*FOLDERS, "conf"):  # a copy: building leaves files beside the sources
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", f"--wheel-dir={tmp_path}"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    packed = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    configs = {f"yolact_pl/conf/{path.relative_to(ROOT / 'conf')}" for path in ROOT.glob("conf/**/*.yaml")}
    page = {str(path.relative_to(ROOT)) for path in ROOT.glob("yolact_pl/serving/page/*")}
    assert configs | page | {str(path.relative_to(ROOT)) for path in SOURCES} <= packed
    assert not [name for name in packed if name.endswith(".wasm")]
    assert not [name for name in packed if name.startswith("tests/")]
    (entry_points,) = unpacked.glob("*.dist-info/entry_points.txt")
    assert "yolact = yolact_pl.cli.main:main" in entry_points.read_text()

    folder = tmp_path / "anywhere"
    folder.mkdir()
    start = "from yolact_pl.cli.main import main; import yolact_pl; print(yolact_pl.__file__); main()"
    done = subprocess.run(
        [sys.executable, "-c", start, "--cfg", "job", "experiment=quickstart"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(unpacked))
    assert "name: quickstart\n" in done.stdout
