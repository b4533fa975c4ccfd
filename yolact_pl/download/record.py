"""Record of a fetched file: URL, size and sha256."""

import hashlib
import json
from pathlib import Path

CHUNK = 1 << 20


class DownloadError(ValueError):
    """A file that can't be fetched, or that is no longer what was fetched."""


def remember(path: Path, url: str, *, size: int, sha256: str) -> None:
    """Note beside a file what it is."""
    write_notes(record_of(path), {"url": url, "size": size, "sha256": sha256})


def check_unchanged(path: Path) -> None:
    """Compare a file with what is remembered of it; of a file that was put there by hand nothing is.

    Raises:
        DownloadError: it was changed.
    """
    remembered = read_notes(record_of(path))
    if not remembered:
        return
    # The size first: it costs nothing and tells a truncated copy.
    if size_of(path) != remembered.get("size") or sha256_of(path) != remembered.get("sha256"):
        raise DownloadError(
            f"{path} is not the file that was fetched from {remembered.get('url')} (size or sha256 differ); "
            f"delete it to fetch it again, or delete {record_of(path)} to use it as it is"
        )


def record_of(path: Path) -> Path:
    """The notes beside a file."""
    return path.with_name(f"{path.name}.json")


def sha256_of(path: Path) -> str:
    """In hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def size_of(path: Path) -> int:
    """In bytes, 0 if there is no such file."""
    return path.stat().st_size if path.is_file() else 0


def read_notes(path: Path) -> dict[str, str | int | None]:
    """The content of a small json file; nothing if it is absent or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_notes(path: Path, content: dict[str, str | int | None]) -> None:
    """Write a small json file at once."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(path)
