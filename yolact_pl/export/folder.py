"""The folder of an export, complete or as it was."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def complete_folder(target: Path, stale: Sequence[str]) -> Iterator[Path]:
    """A folder to write to, whose content is moved to the target at the end; after an error it is gone.

    Args:
        target: made if it is missing; what else is in it stays.
        stale: names of an earlier export's files, which are removed when the new ones come.
    """
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".export.") as name:
        folder = Path(name)
        yield folder
        for old in {*stale, *(path.name for path in folder.iterdir())}:
            _remove(target / old)
        for path in folder.iterdir():
            path.rename(target / path.name)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
