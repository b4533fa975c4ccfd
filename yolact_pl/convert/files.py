"""Finding files as labeling tools and other systems name them."""

import os
from collections.abc import Iterable
from pathlib import Path

from yolact_pl.convert.labeled import EntryError


def is_hidden(name: str) -> bool:
    """Whether a file or folder holds no data, such as `._a.jpg` and `__MACOSX` in archives made on macOS."""
    return name.startswith(".") or name == "__MACOSX"


def find_files(folder: Path, pattern: str) -> list[Path]:
    """The files that match a glob below a folder, sorted; without hidden ones."""
    return sorted(
        path
        for path in folder.glob(pattern)
        if not any(map(is_hidden, path.relative_to(folder).parts)) and path.is_file()
    )


def locate(name: str, folders: Iterable[Path], *, least: int = 1) -> Path | None:
    """The file or folder that a path written on any machine means; None if there is none.

    Backslashes may separate folders. Of an absolute path of another machine, or one that starts in a folder
    that does not exist here, the longest tail that exists counts.

    Args:
        name: absolute, or relative to one of the folders.
        folders: searched in this order.
        least: number of parts that a tail has at least.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    inside = next((i for i, part in enumerate(parts) if part != ".."), len(parts))
    starts = [inside, *range(inside + 1, len(parts) - least + 1)]
    names = [name, name.replace("\\", "/"), *("/".join(parts[start:]) for start in starts)]
    folders = list(folders)
    for candidate in filter(None, names):
        for folder in folders:
            try:
                if (folder / candidate).exists():
                    return Path(os.path.abspath(folder / candidate))  # noqa: PTH100, symlinks stay
            except (OSError, ValueError):  # a name that no file system takes
                return None
    return None


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without line ends.

    Raises:
        EntryError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise EntryError(
            "file that is no text", f"{path} cannot be read as text ({error}); save it as UTF-8."
        ) from None
