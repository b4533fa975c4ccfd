import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolact_pl.inference.media import image_files, output_stems


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "b.JPG",
        "a.png",
        "notes.txt",
        "._a.png",
        "sub/c.jpeg",
        "sub/deep/a.png",
        "clip.mp4",
        "x[1].png",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def names(files: list[Path], folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in files]


def test_a_folder_gives_its_images_sorted(folder: Path) -> None:
    assert names(image_files(folder), folder) == ["a.png", "b.JPG", "x[1].png"]
    assert image_files(str(folder)) == image_files(folder)


def test_recursive_searches_the_folders_inside(folder: Path) -> None:
    found = names(image_files(folder, recursive=True), folder)
    assert found == ["a.png", "b.JPG", "sub/c.jpeg", "sub/deep/a.png", "x[1].png"]


def test_globs(folder: Path) -> None:
    assert names(image_files(f"{folder}/*.png"), folder) == ["a.png", "x[1].png"]
    assert names(image_files(f"{folder}/**/a.*"), folder) == ["a.png", "sub/deep/a.png"]


def test_a_file_with_brackets_is_a_file_and_not_a_glob(folder: Path) -> None:
    assert names(image_files(folder / "x[1].png"), folder) == ["x[1].png"]


def test_a_list_keeps_its_order_and_drops_what_it_had(folder: Path) -> None:
    sources = [folder / "b.JPG", folder / "sub", str(folder), folder / "sub" / ".." / "a.png"]
    assert names(image_files(sources), folder) == ["b.JPG", "sub/c.jpeg", "a.png", "x[1].png"]


def test_home_is_understood(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    assert names(image_files("~/a.png"), folder) == ["a.png"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.jpg", "nowhere.jpg does not exist"),
        ("notes.txt", r"notes.txt is not an image file .*\.jpg"),
        ("folder.png", r"folder.png has no image file: looked for \.jpg .*recursive=true"),
        ("*.webp", r"\*\.webp has no image file: looked for \.jpg"),
        ("*.mp4", r"\*\.mp4 has no image file: .*; a video is given by itself: .*clip\.mp4"),
    ],
)
def test_nothing_found_says_what_was_looked_for(folder: Path, source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        image_files(folder / source)
    with pytest.raises(ValueError, match="empty list"):
        image_files([])


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["/p/a.jpg", "/p/b.jpg"], ["a", "b"]),
        (["/p/a.jpg", "/p/a.png", "/p/b.jpg"], ["a_jpg", "a_png", "b"]),
        (["/p/train/a.jpg", "/p/val/a.jpg"], ["train_a_jpg", "val_a_jpg"]),
        (["/p/1/x/a.jpg", "/p/2/x/a.jpg"], ["1_x_a_jpg", "2_x_a_jpg"]),
        (["/p/A.jpg", "/p/a.png"], ["A_jpg", "a_png"]),
        (["/a/b_c.jpg", "/a_b/c.jpg", "/c.jpg"], ["b_c", "a_b_c_jpg", "c_jpg"]),
        (["/a/b.x/c.jpg", "/a/b_x/c.jpg"], ["b.x_c_jpg", "b_x_c_jpg"]),
        (["/a/b/c.jpg", "/a_b/c.jpg"], ["b_c_jpg", "a_b_c_jpg"]),
        (["/A/c.jpg", "/a/c.jpg"], ["A_c_jpg", "a_c_jpg_2"]),
    ],
)
def test_output_names(files: list[str], expected: list[str]) -> None:
    if os.name == "nt":
        pytest.skip("the paths of the example are POSIX paths")
    assert output_stems([Path(file) for file in files]) == expected


part = st.text(alphabet="aA_2", min_size=1, max_size=3)


@given(
    st.lists(
        st.tuples(st.lists(part, max_size=2).map(tuple), part, st.sampled_from([".jpg", ".JPG", ".png", ""])),
        max_size=12,
        unique=True,
    )
)
def test_output_names_never_collide(files: list[tuple[tuple[str, ...], str, str]]) -> None:
    paths = [Path("/", *folders, stem + suffix) for folders, stem, suffix in files]
    stems = output_stems(paths)
    assert len(stems) == len(paths)
    assert len({stem.casefold() for stem in stems}) == len(paths)
    assert all("/" not in stem for stem in stems)
