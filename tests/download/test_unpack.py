import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolact_pl.download.record import DownloadError
from yolact_pl.download.unpack import unpack

CONTENT = {"set/a/1.txt": b"one", "set/a/deep/2.txt": b"two", "set/list.txt": b"list", "other/x": b"x"}


def write_zip(path: Path, content: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def write_tar(path: Path, content: dict[str, bytes], *more: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in more:
            archive.addfile(info)
    return path


WRITERS = {"zip": write_zip, "tgz": write_tar}


def files_in(folder: Path) -> dict[str, bytes]:
    """Everything in a folder by relative path, files that are hidden or links included."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if not p.is_dir()}


@pytest.mark.parametrize("kind", WRITERS)
def test_takes_what_is_wanted_and_no_more(tmp_path: Path, kind: str) -> None:
    archive = WRITERS[kind](tmp_path / f"archive.{kind}", CONTENT)
    out = tmp_path / "out"
    unpack(archive, {"set/a": out / "new", "set/list.txt": out / "lists" / "l.txt"})
    assert files_in(out) == {"new/1.txt": b"one", "new/deep/2.txt": b"two", "lists/l.txt": b"list"}
    assert stat.S_IMODE((out / "new" / "1.txt").stat().st_mode) & 0o600 == 0o600


@pytest.mark.parametrize("name", ["set/a/../../evil", "set/a/../../../evil", "set/a/.."])
def test_names_of_tar_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    archive = write_tar(tmp_path / "archive.tgz", CONTENT | {name: b"evil"})
    with pytest.raises(DownloadError, match=r"archive\.tgz is not safe to unpack .*; nothing was unpacked"):
        unpack(archive, {"set/a": tmp_path / "1" / "2" / "a"})
    assert files_in(tmp_path) == {archive.name: archive.read_bytes()}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_to_elsewhere_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    for target in ("/etc/passwd", "../../list.txt"):
        info = tarfile.TarInfo("set/a/link")
        info.type, info.linkname = kind, target
        archive = write_tar(tmp_path / "archive.tgz", CONTENT, info)
        with pytest.raises(DownloadError, match=r"is not safe to unpack \(.*link.*\); nothing was unpacked"):
            unpack(archive, {"set/a": tmp_path / "out"})
        assert files_in(tmp_path) == {archive.name: archive.read_bytes()}


def test_links_of_zip_become_files(tmp_path: Path) -> None:
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as file:
        info = zipfile.ZipInfo("set/a/link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, "/etc")
    unpack(archive, {"set/a": tmp_path / "out"})
    assert not (tmp_path / "out" / "link").is_symlink()


def test_an_old_python_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write_zip(tmp_path / "archive.zip", CONTENT)
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(DownloadError, match=r"cannot unpack archives safely; use 3\.10\.12"):
        unpack(archive, {"set/a": tmp_path / "out"})


@pytest.mark.parametrize("kind", WRITERS)
def test_damage_leaves_nothing_behind(tmp_path: Path, kind: str) -> None:
    noise = {f"set/a/{number}": os.urandom(5000) for number in range(20)}
    archive = WRITERS[kind](tmp_path / f"archive.{kind}", noise)
    data = bytearray(archive.read_bytes())
    data[50_000:50_100] = bytes(100)
    archive.write_bytes(data)
    with pytest.raises(DownloadError, match=r"is damaged .*; delete it and fetch it again"):
        unpack(archive, {"set/a": tmp_path / "out" / "a"})
    archive.write_bytes(data[:60_000])
    with pytest.raises(DownloadError, match=r"is damaged .*; delete it and fetch it again"):
        unpack(archive, {"set/a": tmp_path / "out" / "a"})
    assert files_in(tmp_path / "out") == {}


def test_what_is_not_in_it_is_told(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "archive.zip", CONTENT)
    with pytest.raises(DownloadError, match=r"archive\.zip has no set/b in it"):
        unpack(archive, {"set/a": tmp_path / "a", "set/b": tmp_path / "b"})
    assert files_in(tmp_path) == {"archive.zip": archive.read_bytes()}


def test_what_a_killed_run_left_is_replaced(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "archive.zip", CONTENT)
    (tmp_path / ".a.unpacking").mkdir()
    (tmp_path / ".a.unpacking" / "1.txt").write_bytes(b"half")
    unpack(archive, {"set/a": tmp_path / "a"})
    assert files_in(tmp_path / "a") == {"1.txt": b"one", "deep/2.txt": b"two"}


parts = st.sampled_from(["set", "a", "b", "..", ".", "", "~", "C:", "a\\b", "ü"])


@given(
    names=st.lists(st.lists(parts, min_size=1, max_size=5), max_size=4), kind=st.sampled_from(sorted(WRITERS))
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_whatever_the_names_nothing_lands_outside(
    names: list[list[str]], kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    content = {name: b"x" for name in map("/".join, names) if name}
    archive = WRITERS[kind](folder / "archive", {"set/ok": b"x"} | content)
    inner = folder / "1" / "2" / "3" / "4" / "5"
    try:
        unpack(archive, {"set": inner / "out"})
    except DownloadError:
        assert files_in(folder) == {"archive": archive.read_bytes()}
    else:
        assert {path for path in files_in(folder) if not path.startswith("1/2/3/4/5/out/")} == {"archive"}
