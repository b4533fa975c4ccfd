"""Taking files and folders out of an archive without trusting the names in it."""

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from tqdm import tqdm

from yolact_pl.download.record import CHUNK, DownloadError

_DAMAGE = (zipfile.BadZipFile, gzip.BadGzipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)


class _Member(NamedTuple):
    name: str
    kind: str
    """file, folder, or what else it is."""
    size: int
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, takes: Mapping[str, Path]) -> None:
    """Take members out of a zip or tar archive; they appear under their new names at once, and complete.

    Args:
        archive: a file that zipfile or tarfile reads.
        takes: where each wanted member goes, a file or a folder with all that is in it. What is there is not
            replaced.

    Raises:
        DownloadError: the archive is damaged, lacks one of them, or has names that lead out of its folder,
            links, devices, or a file twice; nothing is unpacked then.
    """
    places = {PurePosixPath(name).parts: path for name, path in takes.items()}
    fresh = {path: path.with_name(f".{path.name}.unpacking") for path in places.values()}
    try:
        for temporary in fresh.values():
            temporary.parent.mkdir(parents=True, exist_ok=True)
            _remove(temporary)  # of a run that was killed
        with _members(archive) as members:
            for member in members:
                parts = _safe_parts(member, archive)
                for wanted, path in places.items():
                    if parts[: len(wanted)] == wanted:
                        _take(member, fresh[path].joinpath(*parts[len(wanted) :]), archive)
        for wanted, path in places.items():
            if not fresh[path].exists():
                raise DownloadError(
                    f"{archive} has no {'/'.join(wanted)} in it; delete it and fetch it again"
                )
        for path, temporary in fresh.items():
            temporary.rename(path)
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


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    """All members in the order of the archive, with a progress bar."""
    with archive.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    with ExitStack() as stack:
        if is_zip:
            zipped = stack.enter_context(zipfile.ZipFile(archive))
            members, count = (_zip_member(zipped, info) for info in zipped.infolist()), len(zipped.infolist())
        else:
            members, count = _tar_members(stack.enter_context(tarfile.open(archive))), None
        yield iter(tqdm(members, desc=f"unpacking {archive.name}", total=count, unit="file", disable=None))


def _tar_members(archive: tarfile.TarFile) -> Iterator[_Member]:
    for info in archive:
        yield _tar_member(archive, info)
    while archive.fileobj is not None and archive.fileobj.read(CHUNK):
        pass  # the check sum of all that was read stands at the very end


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    mode = info.external_attr >> 16
    if info.is_dir():
        kind = "folder"
    elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
        kind = "file"
    else:
        kind = "link" if stat.S_ISLNK(mode) else "special file"
    return _Member(info.filename, kind, info.file_size, lambda: archive.open(info))


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> _Member:
    def read() -> IO[bytes]:
        file = archive.extractfile(info)
        assert file is not None  # only called for files
        return file

    if info.isreg():
        kind = "file"
    elif info.isdir():
        kind = "folder"
    else:
        kind = "link" if info.issym() or info.islnk() else "special file"
    return _Member(info.name, kind, info.size, read)


def _safe_parts(member: _Member, archive: Path) -> tuple[str, ...]:
    """The parts of a name that stays where it is unpacked, on every system."""
    name = member.name
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or any(sign in name for sign in "\\:\0"):
        raise DownloadError(
            f"{archive} has the name {name!r} in it, which leads out of the folder; nothing was unpacked, "
            "get the archive from its publisher"
        )
    if member.kind not in ("file", "folder"):
        raise DownloadError(
            f"{archive} has a {member.kind} in it ({name!r}); nothing was unpacked, get the archive from "
            "its publisher"
        )
    return parts


def _take(member: _Member, path: Path, archive: Path) -> None:
    if member.kind == "folder":
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as target, member.open() as source:
            shutil.copyfileobj(source, target, CHUNK)
    except FileExistsError:
        raise DownloadError(
            f"{archive} has {member.name!r} in it twice; nothing was unpacked, get it from its publisher"
        ) from None
    if path.stat().st_size != member.size:
        raise DownloadError(
            f"{archive} is damaged ({member.name!r} is cut off); delete it and fetch it again"
        )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
