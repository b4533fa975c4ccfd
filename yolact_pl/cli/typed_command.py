"""Commands that are told to people, ready to be typed."""

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from yolact_pl.cli.typed_overrides import quoted


def typed_command(overrides: dict[str, str | Path | float]) -> str:
    """The command line of a task with these overrides, quoted for Hydra and for the shell."""
    texts = {k: str(v) if isinstance(v, float) else quoted(str(v)) for k, v in overrides.items()}
    return command_line([f"{key}={text}" for key, text in texts.items()])


def command_line(arguments: Sequence[str]) -> str:
    """This program with other arguments, quoted for the shell, as it can be typed in the current folder."""
    return shlex.join([*_program(), *arguments])


def _program() -> list[str]:
    program = Path(sys.argv[0])
    if program.name == "yolact":
        return ["yolact" if _is_in_path("yolact", program) else _shortest(program)]
    script = program if program.name == "run.py" else Path("run.py")
    python = Path(sys.executable)
    return ["python" if _is_in_path("python", python) else _shortest(python), _shortest(script)]


def _is_in_path(name: str, program: Path) -> bool:
    """Whether the shell takes this program if its name alone is typed."""
    found = shutil.which(name)
    return found is not None and Path(found).parent.resolve() == program.absolute().parent.resolve()


def _shortest(path: Path) -> str:
    """From the current folder where it is below, else in full; links, as in environments, are kept."""
    path = path.absolute()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
