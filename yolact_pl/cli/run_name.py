"""Name of a run that uses a checkpoint: that of the run which wrote it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from yolact_pl.cli.typed_overrides import quoted

_TASKS = ("eval", "predict", "benchmark", "serve", "export")
_RUN_FOLDER = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_\w+")
OUTPUTS = Path("outputs")


def with_name_of_checkpoint(arguments: Sequence[str]) -> list[str]:
    """A command line with `name=` of the checkpoint that it names, unless it says which name.

    `checkpoint=auto` is the newest run of any name, unless the command line names one or an experiment.

    Args:
        arguments: see `typed_overrides`, without the program's name.
    """
    typed = _typed(arguments)
    checkpoint = typed.get("checkpoint")
    alone = not {"-m", "--multirun"} & set(arguments)
    if not alone or typed.get("task") not in _TASKS or "name" in typed or not isinstance(checkpoint, str):
        return [*arguments]
    if checkpoint == "auto":
        name = None if "experiment" in typed else _newest_name()
    else:
        name = _name(Path(checkpoint))
    return [*arguments] if not name else [*arguments, f"name={quoted(name)}"]


def _typed(arguments: Sequence[str]) -> dict[str, Any]:
    values = {}
    for argument in arguments:
        try:
            override = OverridesParser.create().parse_override(argument)
        except HydraException:  # an option, or what Hydra will refuse
            continue
        if not override.is_sweep_override():
            values[override.key_or_group] = str(override.value())
    return values


def _newest_name() -> str | None:
    paths = OUTPUTS.glob("*/*/checkpoints/*.ckpt")
    newest = max(paths, key=lambda path: path.stat().st_mtime, default=None)
    return None if newest is None else newest.parents[2].name


def _name(path: Path) -> str:
    """Of the run that has written the file or the folder, or else the file's own."""
    for run in (path.absolute(), *path.absolute().parents):
        if _RUN_FOLDER.fullmatch(run.name):
            return run.parent.name
    return path.absolute().parents[1].name if path.parent.name == "checkpoints" else path.stem
