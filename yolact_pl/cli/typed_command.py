"""Commands that are told to people, ready to be typed."""

import re
import shlex
import sys
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z/][\w./-]*( [\w./-]+)*", re.ASCII)
_WORDS = ("null", "true", "false", "nan", "inf")


def typed_command(overrides: dict[str, str | Path | float]) -> str:
    """The command line of a task with these overrides, quoted for Hydra and for the shell."""
    program = [Path(sys.argv[0]).name] if Path(sys.argv[0]).name == "yolact" else ["python", "run.py"]
    return shlex.join([*program, *(f"{key}={_quoted(value)}" for key, value in overrides.items())])


def _quoted(value: str | Path | float) -> str:
    """Hydra's grammar gives a meaning to numbers, commas, brackets and the like outside of quotes."""
    if isinstance(value, float):
        return str(value)
    value = str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    # Inside of them a backslash has a meaning only in front of a quote, and of an interpolation.
    escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + ("\\'" if m[2] else ""), value)
    return "'" + re.sub(r"(\\*)\$\{", r"\1\1\\${", escaped) + "'"
