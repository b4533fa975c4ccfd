"""Extraction of files and folders from archives."""

import copy
import gzip
import lzma
import platform
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from yolact_pl.download.record import CHUNK, DownloadError

_DAMAGE = (zipfile.BadZipFile, gzip.BadGzipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)

Member = tuple[str, Callable[[Path, str], object]]
"""The name in the archive, and what extracts it into a folder under another name."""


def unpack(archive: Path, takes: Mapping[str, Path]) -> None:
    """Extract members of a zip or tar archive; each appears at its target at once and complete.

    Names are sanitised by `zipfile` and by the data filter of `tarfile` (PEP 706).

    Args:
        archive: a file that zipfile or tarfile reads.
        takes: target by member, a file or a folder with its content. Existing targets are not replaced.

    Raises:
        DownloadError: the archive is damaged or lacks a member, or a member is a device or leads out of its
            target; nothing is unpacked then.
    """
    if not hasattr(tarfile, "data_filter"):
        raise DownloadError(
            f"Python {platform.python_version()} cannot unpack archives safely; use 3.10.12, 3.11.4 or newer"
        )
    fresh = {path: path.with_name(f".{path.name}.unpacking") for path in takes.values()}
    try:
        for temporary in fresh.values():
            temporary.parent.mkdir(parents=True, exist_ok=True)
            _remove(temporary)  # of a run that was killed
        with _members(archive) as members:
            for name, extract in members:
                _extract(name, extract, {wanted: fresh[path] for wanted, path in takes.items()})
        for wanted, path in takes.items():
            if not fresh[path].exists():
                raise DownloadError(f"{archive} has no {wanted} in it; delete it and fetch it again")
        for path, temporary in fresh.items():
            temporary.rename(path)
    except tarfile.FilterError as error:
        raise DownloadError(
            f"{archive} is not safe to unpack ({error}); nothing was unpacked, get the archive from its "
            "publisher"
        ) from error
    except _DAMAGE as error:
        reason = " ".join(str(error).split())
        raise DownloadError(f"{archive} is damaged ({reason}); delete it and fetch it again") from error
    except (RuntimeError, NotImplementedError) as error:  # of zipfile: a password, an unknown compression
        raise DownloadError(f"{archive} cannot be unpacked ({error}); unpack it by hand") from error
    except OSError as error:
        raise DownloadError(
            f"{archive} cannot be unpacked ({error}); make room, then run it again"
        ) from error
    finally:
        for temporary in fresh.values():
            _remove(temporary)


def _extract(name: str, extract: Callable[[Path, str], object], targets: Mapping[str, Path]) -> None:
    """Extract a member to each target that it belongs to."""
    parts = PurePosixPath(name).parts
    for wanted, target in targets.items():
        length = len(PurePosixPath(wanted).parts)
        if parts[:length] != PurePosixPath(wanted).parts:
            continue
        if parts[length:]:
            extract(target, "/".join(parts[length:]))
        else:
            extract(target.parent, target.name)


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[Member]]:
    """All members in the order of the archive, with a progress bar."""
    bar = partial(tqdm, desc=f"unpacking {archive.name}", unit="file", disable=None)
    with archive.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    if is_zip:
        with zipfile.ZipFile(archive) as opened:
            yield iter(bar(_zip_members(opened), total=len(opened.infolist())))
    else:
        with tarfile.open(archive) as opened:
            yield iter(bar(_tar_members(opened)))


def _zip_members(archive: zipfile.ZipFile) -> Iterator[Member]:
    def extract(info: zipfile.ZipInfo, folder: Path, name: str) -> None:
        renamed = copy.copy(info)
        renamed.filename = f"{name}/" if info.is_dir() else name
        archive.extract(renamed, folder)

    for info in archive.infolist():
        yield info.filename, partial(extract, info)


def _tar_members(archive: tarfile.TarFile) -> Iterator[Member]:
    def extract(info: tarfile.TarInfo, folder: Path, name: str) -> None:
        archive.extract(info.replace(name=name), folder, filter="data")

    for info in archive:
        yield info.name, partial(extract, info)
    while archive.fileobj is not None and archive.fileobj.read(CHUNK):
        pass  # the check sum of all that was read stands at the very end


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
