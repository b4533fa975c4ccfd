"""Overrides as people type them: former keys get their present name, and text is text.

Hydra reads each value by a grammar in which most punctuation has a meaning and letters outside of ASCII have
none. A value that is no word of that grammar is quoted; so is the value of a path, whatever it looks like.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from yolact_pl.config.renamed_keys import present_key

_OVERRIDE = re.compile(r"(~|\+{0,2})([\w./@:-]+)=(.*)", re.DOTALL)
_PATH = re.compile(
    r"(.*\.)?(source|checkpoint|resume|init|output|data_dir|root|folder|dir|dirpath|save_dir|weights|storage"
    r"|\w+_(json|images))"
)
_RESERVED = re.compile(r"|null|\?\?\?|-?\d+")
"""Values of a path that keep their meaning: nothing, null, missing, the number of a camera."""
_PLAIN = re.compile(r"(?!(?:null|true|false|nan|inf)$)[a-z/][\w./-]*( [\w./-]+)*", re.ASCII | re.IGNORECASE)
"""Text that the grammar reads as it stands."""
_OF_A_JOB = "hydra.job.num="
"""Of the command line of a sweep's job, which Hydra has written."""
_SWEEP = re.compile(r"(choice|glob|shuffle|sort|range|interval|tag)\(.*\)", re.DOTALL)


def typed_overrides(arguments: Sequence[str]) -> list[str]:
    """A command line for Hydra that means what was typed.

    Args:
        arguments: without the program's name. Options (`-m`, `--cfg`) stay as they are.

    Returns:
        the same arguments in the same order. A line on stderr names each key that was renamed.
    """
    if any(argument.startswith(_OF_A_JOB) for argument in arguments):
        return [*arguments]
    sweeps = any(argument in ("-m", "--multirun") for argument in arguments)
    return [_override(argument, sweeps=sweeps) for argument in arguments]


def quoted(text: str, *, interpolations: bool = False) -> str:
    """Text as Hydra's grammar reads it back, between quotes where it needs them.

    Args:
        text: any.
        interpolations: `${...}` in it is to be followed, not text.
    """
    if _PLAIN.fullmatch(text):
        return text
    # Between quotes a backslash has a meaning only before a quote, the end and an interpolation.
    escaped = re.sub(r"(\\*)('|\Z)", lambda m: 2 * m[1] + ("\\'" if m[2] else ""), text)
    return f"'{escaped}'" if interpolations else "'" + re.sub(r"(\\*)\$\{", r"\1\1\\${", escaped) + "'"


def _override(argument: str, *, sweeps: bool) -> str:
    match = _OVERRIDE.fullmatch(argument)
    if match is None or argument.startswith("-"):
        return argument
    sign, typed_key, value = match[1], match[2], match[3]
    key = present_key(typed_key)
    if key != typed_key:
        sys.stderr.write(f"{typed_key} is now {key}\n")
    return f"{sign}{key}={_value(key, value, sweeps=sweeps)}"


def _value(key: str, value: str, *, sweeps: bool) -> str:
    exists = _exists(value)
    if _is_valid(value, sweeps=sweeps) and not (
        _PATH.fullmatch(key) and (exists or not _is_grammar(value, sweeps=sweeps))
    ):
        return value
    if not exists and value.startswith("[") and value.endswith("]"):
        return f"[{','.join(map(_item, value[1:-1].split(',')))}]"
    if not exists and sweeps and "," in value:
        return ",".join(map(_item, value.split(",")))
    if exists and _RESERVED.fullmatch(value):
        return value
    return quoted(value, interpolations=not exists)


def _item(value: str) -> str:
    value = value.strip()
    return value if _is_valid(value, sweeps=False) else quoted(value, interpolations=True)


def _is_grammar(value: str, *, sweeps: bool) -> bool:
    """Whether a valid value of a path says more than its text."""
    return bool(
        _RESERVED.fullmatch(value)
        or _SWEEP.fullmatch(value)
        or value[0] in "'\"["
        or "${" in value
        or (sweeps and "," in value)
    )


def _exists(value: str) -> bool:
    try:
        return bool(value) and Path(value).exists()
    except (OSError, ValueError):  # too long a name, or a zero byte
        return False


def _is_valid(value: str, *, sweeps: bool) -> bool:
    try:
        parsed = OverridesParser.create().parse_override(f"key={value}")
        if parsed.is_sweep_override():
            return sweeps or _SWEEP.fullmatch(value) is not None
        parsed.value()
    except (HydraException, ValueError, RecursionError):
        return False
    return True
