"""Fetching a file once: it resumes where it broke off, and is checked whenever it is used again."""

import hashlib
import http.client
import json
import logging
import os
import re
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path

import torch
from filelock import FileLock
from tqdm import tqdm

logger = logging.getLogger(__name__)

CACHE_VARIABLE = "YOLACT_PL_CACHE"
TIMEOUT_SECONDS = 30
ATTEMPTS = 5
"""Connections in a row that may fail, once one has brought something."""
_CHUNK = 1 << 20


class DownloadError(ValueError):
    """A file that can't be fetched, or that is no longer what was fetched."""


def cache_folder() -> Path:
    """Where fetched weights lie: $YOLACT_PL_CACHE, or torch.hub's folder of checkpoints."""
    own = os.environ.get(CACHE_VARIABLE)
    return Path(own).expanduser() if own else Path(torch.hub.get_dir()) / "checkpoints"


def fetch_file(url: str, *, digest: str = "", otherwise: str) -> Path:
    """The file behind a URL, from the cache folder, fetched first if it is not there.

    A file that was put there by hand is used as it is. Size and sha256 of a fetched one are remembered
    beside it, and checked each time.

    Args:
        url: http or https; its last part names the file.
        digest: first digits of the sha256 that the file must have.
        otherwise: what else the user can do where it cannot be fetched, for the error.

    Raises:
        DownloadError: it cannot be fetched, or was changed since.
    """
    path = cache_folder() / url.rsplit("/", 1)[-1]
    if path.is_file():
        _check_unchanged(path)
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):  # of several processes one fetches
            if not path.is_file():
                _fetch(url, path, digest)
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(
            f"cannot fetch {url} ({error}); put the file by hand at {path}, or {otherwise}"
        ) from error
    return path


def _fetch(url: str, path: Path, digest: str) -> None:
    """Fetch to `<path>.part`, go on where the connection broke, and give the file its name at the end."""
    part = path.with_name(f"{path.name}.part")
    logger.info("fetching %s to %s", url, path)
    failures = ATTEMPTS  # a first connection that fails at once is no broken one
    while not _is_complete(part):
        before = _size(part)
        try:
            _transfer(url, part)
        except (urllib.error.HTTPError, PermissionError):
            raise
        except (OSError, http.client.HTTPException) as error:
            failures = 0 if _size(part) > before else failures + 1
            if failures >= ATTEMPTS:
                raise
            logger.info("the connection broke after %d bytes (%s); going on from there", _size(part), error)
            time.sleep(failures)
    found = _sha256(part)
    if not found.startswith(digest):
        part.unlink()
        raise OSError(f"the sha256 of what came is {found}, expected {digest}...")
    _write_json(_record(path), {"url": url, "size": _size(part), "sha256": found})
    _progress_file(part).unlink(missing_ok=True)
    part.replace(path)


def _transfer(url: str, part: Path) -> None:
    """One connection: append what is missing, or begin anew if the server's file is another one now.

    Raises:
        OSError, HTTPException: the connection could not be made, or broke.
    """
    known, start = _read_json(_progress_file(part)), _size(part)
    headers = {"User-Agent": "yolact-pl", "Accept-Encoding": "identity"}
    if start and known:
        headers["Range"] = f"bytes={start}-"
        if etag := known.get("etag"):
            headers["If-Range"] = str(etag)
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            if response.status != http.client.PARTIAL_CONTENT:
                total = int(response.headers.get("Content-Length", -1))
                part.unlink(missing_ok=True)
                _write_json(_progress_file(part), {"etag": _strong_tag(response.headers), "size": total})
                _append(response, part, 0, total)
                return
            total = _size_of_whole(response.headers, start)
            if total is not None and total == known.get("size"):
                _append(response, part, start, total)
                return
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not start:
            raise
    part.unlink()  # the server has another file now
    _transfer(url, part)


def _append(response: http.client.HTTPResponse, part: Path, start: int, total: int) -> None:
    with (
        part.open("ab") as file,
        tqdm(
            total=total if total >= 0 else None,
            initial=start,
            unit="B",
            unit_scale=True,
            desc=part.stem,
            disable=None,  # shown on terminals only
        ) as progress,
    ):
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            progress.update(len(chunk))
    if total < 0:  # the server did not say how much would come, and what came has ended orderly
        _write_json(_progress_file(part), {"etag": None, "size": _size(part)})
    elif _size(part) != total:
        raise ConnectionError(f"{_size(part)} of {total} bytes came")


def _size_of_whole(headers: Message, start: int) -> int | None:
    """The size of the file of which the rest is sent, None if it is not the rest from `start` on."""
    sent = re.match(r"bytes (\d+)-\d+/(\d+)", headers.get("Content-Range", ""))
    return int(sent[2]) if sent and int(sent[1]) == start else None


def _is_complete(part: Path) -> bool:
    known = _read_json(_progress_file(part))
    return part.is_file() and _size(part) == known.get("size")


def _strong_tag(headers: Message) -> str | None:
    """The server's name for this very version of the file."""
    tag = headers.get("ETag")
    return None if tag is None or tag.startswith("W/") else tag


def _check_unchanged(path: Path) -> None:
    remembered = _read_json(_record(path))
    if not remembered:
        return
    # The size first: it costs nothing and tells a truncated copy.
    if _size(path) != remembered.get("size") or _sha256(path) != remembered.get("sha256"):
        raise DownloadError(
            f"{path} is not the file that was fetched from {remembered.get('url')} (size or sha256 differ); "
            f"delete it to fetch it again, or delete {_record(path)} to use it as it is"
        )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _progress_file(part: Path) -> Path:
    """Beside a part: etag and size of the whole file."""
    return part.with_name(f"{part.name}.json")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _read_json(path: Path) -> dict[str, str | int | None]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # absent or damaged: nothing is remembered
        return {}
    return content if isinstance(content, dict) else {}


def _write_json(path: Path, content: dict[str, str | int | None]) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(path)
