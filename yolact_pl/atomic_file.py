"""Text files that are complete or not there at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def atomic_file(path: Path) -> Iterator[TextIO]:
    """A text file that appears under its name only when it is complete; until then an older one stays."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
        Path(temporary).chmod(0o644)  # mkstemp's files are for their owner only
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
