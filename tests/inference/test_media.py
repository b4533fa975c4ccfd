import os
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from yolact_pl.images.formats import image_suffixes
from yolact_pl.images.image_file import read_image
from yolact_pl.inference.media import image_files, is_video, left_out, output_stems


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
        ("notes.txt", r"notes.txt is not an image file that can be read: convert it"),
        ("folder.png", r"folder.png has no image file that can be read .*recursive=true"),
        ("*.webp", r"\*\.webp has no image file that can be read"),
        ("*.mp4", r"\*\.mp4 has no image file .*; a video is given by itself: .*clip\.mp4"),
    ],
)
def test_nothing_found_says_what_was_looked_for(folder: Path, source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        image_files(folder / source)
    with pytest.raises(ValueError, match="empty list"):
        image_files([])


@pytest.mark.parametrize(
    "name", ["a.avif", "a.jp2", "a.JFIF", "a.ppm", "a.qoi", "a.tga", "without", "a.jpg_large"]
)
def test_what_the_reader_reads_is_an_image(name: str, tmp_path: Path) -> None:
    suffix = Path(name).suffix.lower()
    kind = suffix if suffix in image_suffixes() else ".png"
    Image.new("RGB", (8, 6), (200, 10, 10)).save(tmp_path / f"saved{kind}")
    (tmp_path / f"saved{kind}").rename(tmp_path / name)
    assert read_image(tmp_path / name).shape == (6, 8, 3)
    assert names(image_files(tmp_path), tmp_path) == names(image_files(tmp_path / name), tmp_path) == [name]
    assert not is_video(tmp_path / name)
    assert left_out(tmp_path) is None


@pytest.mark.parametrize("name", ["clip.ts", "clip.flv", "clip.y4m", "clip", "clip.MP4"])
def test_what_ffmpeg_reads_is_a_video(name: str, tmp_path: Path) -> None:
    suffix = Path(name).suffix.lower() or ".mkv"
    codec = {".flv": "flv", ".y4m": "wrapped_avframe", ".ts": "mpeg2video"}.get(suffix, "mpeg4")
    with av.open(str(tmp_path / f"saved{suffix}"), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode())
    (tmp_path / f"saved{suffix}").rename(tmp_path / name)
    assert is_video(tmp_path / name)
    with pytest.raises(ValueError, match="is a video: give it as the only source"):
        image_files([tmp_path / name])


def test_neither_text_nor_a_song_with_a_cover_is_a_video(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("some words\n" * 20)
    (tmp_path / "a.csv").write_text("1,2\n" * 20)
    (tmp_path / "a.json").write_text("{}")
    assert not any(is_video(path) for path in tmp_path.iterdir())


def test_a_folder_says_in_one_line_what_it_leaves_out(folder: Path) -> None:
    text = left_out(folder)
    assert text == (
        f"left out of {folder}: videos: 1 .mp4 (a video is given by itself: source={folder}/clip.mp4), "
        "files that are no image: 1 .txt, hidden files: 1, folders: 2 (searched with recursive=true)"
    )
    assert "folders" not in (left_out(folder, recursive=True) or "")
    assert left_out(folder / "sub", recursive=True) is None


def test_brackets_of_folders_and_names_in_globs(tmp_path: Path) -> None:
    for name in ("shoot [1]/a.png", "shoot [1]/b[2].png", "shoot 1/wrong.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert names(image_files(tmp_path / "shoot [1]" / "*.png"), tmp_path / "shoot [1]") == [
        "a.png",
        "b[2].png",
    ]
    assert names(image_files(tmp_path / "shoot [1]" / "b[2]*"), tmp_path / "shoot [1]") == ["b[2].png"]
    assert names(image_files(tmp_path / "shoot [1]" / "[ab]*"), tmp_path / "shoot [1]") == [
        "a.png",
        "b[2].png",
    ]
    assert names(image_files(tmp_path / "shoo? 1" / "*"), tmp_path / "shoot 1") == ["wrong.png"]


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
