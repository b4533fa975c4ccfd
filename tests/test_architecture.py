"""The import rules of ARCHITECTURE.md."""

import ast
import shlex
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.processes import run_command

ROOT = Path(__file__).parents[1]
BESIDE = ("ops", "hydra_plugins", "benchmarks")
"""Rooms beside `yolact_pl`."""
FILES = [ROOT / "run.py", *(path for room in ("yolact_pl", *BESIDE) for path in ROOT.glob(f"{room}/**/*.py"))]

ALLOWED = {
    "atomic_file": set(),
    "text_table": set(),
    "freed_memory": set(),
    "images": set(),
    "results": {"images", "inference.drawing"},  # the drawing of a result
    "structures": {"images"},
    "geometry": {"structures"},
    "decoders": {"geometry"},
    "ops": set(),
    "schedules": set(),
    "download": set(),
    "models": {"structures", "geometry", "ops", "download", "freed_memory"},
    "losses": {"structures", "geometry", "decoders"},
    "postprocess": {"structures", "geometry", "decoders", "images", "results"},
    "data": {"structures", "geometry", "images", "freed_memory"},
    "checkpoints": {"structures", "geometry", "images", "models", "decoders"},
    "convert": {"structures", "geometry", "images", "data"},
    "evaluation": {"structures", "geometry", "images", "results", "data", "atomic_file", "text_table"},
    "report": {
        "images",
        "results",
        "data",
        "evaluation",
        "inference.drawing",
        "download",
        "atomic_file",
        "text_table",
    },
    "doctor": {"structures", "geometry", "images", "data", "evaluation", "report", "atomic_file"},
    "sweeps": {"atomic_file"},
    "inference": {"images", "results", "text_table"},
    "serving": {"images", "results", "inference", "data.annotations", "atomic_file"},
    "module": {
        "structures",
        "models",
        "losses",
        "postprocess",
        "results",
        "schedules",
        "checkpoints",
        "evaluation",
    },
    "export": {
        "cli.typed_command",
        "structures",
        "images",
        "results",
        "inference",
        "geometry",
        "decoders",
        "ops",
        "models",
        "checkpoints",
        "postprocess",
        "data",
        "evaluation",
        "serving.page_files",
        "text_table",
    },
    "anchor_search": {"geometry", "models", "inference", "atomic_file", "text_table"},
    "callbacks": {
        "structures",
        "images",
        "results",
        "data",
        "evaluation",
        "inference",
        "report",
        "module",
        "atomic_file",
    },
    "config": None,  # anything
    "cli": None,
    "training": None,
    "tasks": None,
    "run": {"cli"},
    "hydra_plugins": {"sweeps", "cli"},
    "benchmarks": None,
}
TORCH_FREE = ("images/", "results/", "inference/")
TORCH_ENGINE = "inference/engines/torch_engine.py"
"""The one file of the torch-free rooms that may import anything."""
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
MAX_FILES = 15
"""Of a room, with its `__init__.py`."""
HYDRA = ("cli/", "config/", "training/", "tasks/", "hydra_plugins/")


def room(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "yolact_pl" else parts[0]


def imports(path: Path) -> list[str]:
    """All modules that a file imports, but for those that only its type annotations name."""
    found = []
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
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
        if inside.startswith(TORCH_FREE) and inside != TORCH_ENGINE:
            assert top not in ("torch", "torchvision"), f"{inside} imports {top}"
        if top in ("hydra", "omegaconf"):
            assert inside.startswith(HYDRA), f"{inside} imports {top}"
        assert top not in ("tests", "benchmarks") or top == own, f"{inside} imports {top}"
        target = top if top in ("run", *BESIDE) else None
        if top == "yolact_pl" and "." in name:
            target = name.split(".")[1]
        allowed = ALLOWED.get(own, set())
        if target is None or target == own or allowed is None or own == "__init__" or inside == TORCH_ENGINE:
            continue
        parts = name.split(".")[1:3]
        assert target in allowed or ".".join(parts) in allowed, f"{inside} imports {target}"


def test_results_and_prediction_need_no_torch(tmp_path: Path) -> None:
    """Every module of the torch-free rooms, and with an engine that is not torch's, the way of an image."""
    rooms = [path.relative_to(ROOT).with_suffix("") for path in FILES]
    modules = [
        ".".join(path.parts).removesuffix(".__init__")
        for path in rooms
        if str(path).removeprefix("yolact_pl/").startswith(TORCH_FREE)
    ]
    modules.remove("yolact_pl.inference.engines.torch_engine")
    script = tmp_path / "without_torch.py"
    script.write_text(
        f"""
import importlib, sys
sys.path.insert(0, {str(ROOT)!r})
sys.modules["torch"] = sys.modules["torchvision"] = None  # importing them fails
for module in {modules}:
    importlib.import_module(module)
import tests.inference.without_torch
"""
    )
    done = run_command(shlex.join([sys.executable, str(script)]))
    assert done.code == 0, done.output


def test_rooms_are_small() -> None:
    """A folder of many files holds several things."""
    tests = [*(ROOT / "tests").glob("**/*.py")]
    rooms = Counter(path.parent for path in [*FILES, *tests] if "benchmarks" not in path.parts)
    assert {str(room): count for room, count in rooms.items() if count > MAX_FILES} == {}


def test_no_bucket_files() -> None:
    names = {path.stem for path in FILES}
    assert not names & {"utils", "misc", "common", "core", "base", "helpers", "tools"}


def test_no_global_config_at_import() -> None:
    """Networks, losses and inference can be used without Hydra or Lightning being imported."""
    import subprocess
    import sys

    code = (
        "import sys; import yolact_pl.models.yolact, yolact_pl.losses.yolact_loss;"
        "import yolact_pl.inference.engines.torch_engine;"
        "assert not {'hydra', 'pytorch_lightning'} & set(sys.modules), 'too much was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
