"""Resumable download over unreliable connections."""

import errno
import http.client
import logging
import re
import sys
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any

from tqdm import tqdm

from yolact_pl.download.record import (
    CHUNK,
    DownloadError,
    read_notes,
    remember,
    sha256_of,
    size_of,
    write_notes,
)

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30
ATTEMPTS = 5
"""Connections in a row that may fail, once one has brought something."""
_QUIET_SECONDS = 30.0


def fetch(url: str, path: Path, *, digest: str = "", size: int | None = None) -> None:
    """Fetch to `<path>.part`, resume where the connection broke, and rename at the end.

    Size and sha256 are remembered beside the file, see `record.check_unchanged`.

    Args:
        url: http or https.
        path: of the file; its folder exists.
        digest: first digits of the sha256 that the file must have.
        size: in bytes that the file must have, None if it is not known.

    Raises:
        OSError, HTTPException: it cannot be fetched, or something else came; what came so far is kept.
        DownloadError: the server's file has another size.
    """
    part = path.with_name(f"{path.name}.part")
    logger.info("fetching %s to %s", url, path)
    failures = ATTEMPTS  # a first connection that fails at once is no broken one
    while not _is_complete(part):
        before = size_of(part)
        try:
            _transfer(url, part, size)
        except (urllib.error.HTTPError, PermissionError):
            raise
        except (OSError, http.client.HTTPException) as error:
            failures = 0 if size_of(part) > before else failures + 1
            if failures >= ATTEMPTS or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
                raise
            logger.info("the connection broke after %d bytes (%s); going on from there", size_of(part), error)
            time.sleep(failures)
    _check_size(url, size_of(part), size)
    found = sha256_of(part)
    if not found.startswith(digest):
        part.unlink()
        raise OSError(f"the sha256 of what came is {found}, expected {digest}...")
    remember(path, url, size=size_of(part), sha256=found)
    _progress_file(part).unlink(missing_ok=True)
    part.replace(path)


def _transfer(url: str, part: Path, size: int | None) -> None:
    """One connection: append what is missing, or begin anew if the server's file is another one now.

    Raises:
        OSError, HTTPException: the connection could not be made, or broke.
    """
    known, start = read_notes(_progress_file(part)), size_of(part)
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
                if total >= 0:
                    _check_size(url, total, size)
                part.unlink(missing_ok=True)
                write_notes(_progress_file(part), {"etag": _strong_tag(response.headers), "size": total})
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
    _transfer(url, part, size)


def _append(response: http.client.HTTPResponse, part: Path, start: int, total: int) -> None:
    with part.open("ab") as file, _bar(part.stem, start, total) as progress:
        while chunk := response.read(CHUNK):
            file.write(chunk)
            progress.update(len(chunk))
    if total < 0:  # the server did not say how much would come, and what came has ended orderly
        write_notes(_progress_file(part), {"etag": None, "size": size_of(part)})
    elif size_of(part) != total:
        raise ConnectionError(f"{size_of(part)} of {total} bytes came")


def _bar(name: str, start: int, total: int) -> "tqdm[Any]":
    """A bar on terminals; elsewhere a line every half minute."""
    terminal = sys.stderr.isatty()
    return tqdm(
        total=total if total >= 0 else None,
        initial=start,
        unit="B",
        unit_scale=True,
        desc=name,
        mininterval=0.1 if terminal else _QUIET_SECONDS,
        maxinterval=10 if terminal else _QUIET_SECONDS,
        delay=0 if terminal else _QUIET_SECONDS,
    )


def _check_size(url: str, found: int, size: int | None) -> None:
    if size is not None and found != size:
        raise DownloadError(
            f"{url} has {found:,} bytes, but the published file has {size:,}: what answers there is not "
            "the published server; look at the address in a browser"
        )


def _size_of_whole(headers: Message, start: int) -> int | None:
    """Size of the file whose rest is sent; None if it is not the rest from `start` on."""
    sent = re.match(r"bytes (\d+)-\d+/(\d+)", headers.get("Content-Range", ""))
    return int(sent[2]) if sent and int(sent[1]) == start else None


def _is_complete(part: Path) -> bool:
    return part.is_file() and size_of(part) == read_notes(_progress_file(part)).get("size")


def _strong_tag(headers: Message) -> str | None:
    """The server's name for this very version of the file."""
    tag = headers.get("ETag")
    return None if tag is None or tag.startswith("W/") else tag


def _progress_file(part: Path) -> Path:
    """Beside a part: etag and size of the whole file."""
    return part.with_name(f"{part.name}.json")
