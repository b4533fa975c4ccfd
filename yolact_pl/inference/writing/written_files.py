"""Record of the files of a run, so that the next run into the same folder leaves none of them behind."""

import json
import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import TracebackType

_log = logging.getLogger(__name__)


class WrittenFiles:
    """Removes, at its good end, what an earlier run with the same record wrote and this one did not.

    Use it as a context manager. Files that no run wrote are never touched. The record is kept up to date all
    the time, also for runs that are killed; after an exception it lists the files of both runs.

    Args:
        folder: of all files.
        name: of the record, `.<name>.written`; runs that share none leave each other's files alone.
        keep: files to keep whoever wrote them, such as sources.
    """

    def __init__(self, folder: Path, name: str, *, keep: Iterable[Path] = ()) -> None:
        self._folder = folder
        self._record = folder / f".{name}.written"
        self._keep = {path.resolve() for path in keep}
        self._new: dict[str, None] = {}
        self._lock = Lock()

    def __enter__(self) -> "WrittenFiles":
        lines = self._record.read_text(encoding="utf-8").splitlines() if self._record.is_file() else []
        self._old = dict.fromkeys(line for line in lines if line)
        return self

    def add(self, path: Path) -> None:
        """Record a file that was written; from any thread."""
        line = json.dumps(path.relative_to(self._folder).as_posix())
        with self._lock:
            if line not in self._new:
                self._new[line] = None
                self._folder.mkdir(parents=True, exist_ok=True)
                with self._record.open("a", encoding="utf-8") as record:
                    record.write(f"{line}\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        removed = sum(self._remove(line) for line in self._old if line not in self._new)
        if removed:
            _log.info("%d files of an earlier run were removed from %s", removed, self._folder)
        if self._old:
            self._record.write_text("".join(f"{line}\n" for line in self._new), encoding="utf-8")

    def _remove(self, line: str) -> bool:
        """Whether there was such a file inside of the folder; folders that it leaves empty go, too."""
        with suppress(OSError, ValueError, TypeError):
            path = self._folder / json.loads(line)
            inside = path.resolve().is_relative_to(self._folder.resolve())
            if not inside or path.resolve() in self._keep or not path.is_file():
                return False
            path.unlink()
            with suppress(OSError):
                for parent in path.parents:
                    if parent == self._folder:
                        break
                    parent.rmdir()
            return True
        return False
