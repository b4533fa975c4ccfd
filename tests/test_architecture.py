"""The import rules of ARCHITECTURE.md."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*ROOT.glob("yolact_pl/**/*.py"), *ROOT.glob("ops/**/*.py"), ROOT / "run.py"])

ALLOWED = {
    "atomic_file": set(),
    "images": set(),
    "results": {"images", "inference.drawing"},  # the drawing of a result
    "structures": {"images"},
    "geometry": {"structures"},
    "decoders": {"geometry"},
    "ops": set(),
    "schedule": set(),
    "download": set(),
    "models": {"structures", "geometry", "ops", "download"},
    "losses": {"structures", "geometry", "decoders"},
    "postprocess": {"structures", "geometry", "decoders", "images", "results"},
    "data": {"structures", "geometry", "images"},
    "checkpoints": {"structures", "geometry", "images", "models", "decoders"},
    "convert": {"structures", "geometry", "images", "data"},
    "evaluation": {"structures", "geometry", "images", "results", "data", "atomic_file"},
    "doctor": {"structures", "geometry", "images", "data", "evaluation", "atomic_file"},
    "sweeps": {"atomic_file"},
    "inference": {
        "structures",
        "geometry",
        "images",
        "results",
        "models",
        "postprocess",
        "data",
        "checkpoints",
        "evaluation",
        "atomic_file",
    },
    "module": {"structures", "models", "losses", "postprocess", "results", "schedule", "checkpoints"},
    "anchor_search": {"geometry", "models", "evaluation", "inference", "atomic_file"},
    "callbacks": {"structures", "images", "results", "data", "evaluation", "inference", "module"},
    "config": None,  # anything
    "cli": None,
    "training": None,
    "tasks": None,
    "run": {"cli"},
}
LIGHTNING = (
    "module.py",
    "callbacks/",
    "data/datamodule.py",
    "data/shapes.py",
    "cli/",
    "config/",
    "training/",
    "tasks/",
)
HYDRA = ("cli/", "config/", "training/", "tasks/")


def room(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0] if parts[0] in ("ops", "run") else parts[1]


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append(node.module or "")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_keep_the_rules(path: Path) -> None:
    own = room(path)
    inside = str(path.relative_to(ROOT)).removeprefix("yolact_pl/")
    for name in imports(path):
        top = name.split(".")[0]
        if top == "pytorch_lightning":
            assert inside.startswith(LIGHTNING), f"{inside} imports Lightning"
        if top in ("hydra", "omegaconf"):
            assert inside.startswith(HYDRA), f"{inside} imports {top}"
        target = top if top in ("ops", "run") else None
        if top == "yolact_pl" and "." in name:
            target = name.split(".")[1]
        allowed = ALLOWED.get(own, set())
        if target is None or target == own or allowed is None or own == "__init__":
            continue
        parts = name.split(".")[1:3]
        assert target in allowed or ".".join(parts) in allowed, f"{inside} imports {target}"


def test_no_bucket_files() -> None:
    names = {path.stem for path in FILES}
    assert not names & {"utils", "misc", "common", "core", "base", "helpers", "tools"}


def test_no_global_config_at_import() -> None:
    """Networks, losses and inference can be used without Hydra or Lightning being imported."""
    import subprocess
    import sys

    code = (
        "import sys; import yolact_pl.models.yolact, yolact_pl.losses.yolact_loss;"
        "import yolact_pl.inference.predictor;"
        "assert not {'hydra', 'pytorch_lightning'} & set(sys.modules), 'too much was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
