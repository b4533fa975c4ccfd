import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from yolact_pl.models.weight_files import inverse, load_exactly, read_tensors, rename_key, rename_keys

TABLE = (("a.0.{}", "first.{}"), ("a.1.{}", "second.{}"))


def test_renames_there_and_back() -> None:
    assert rename_key("a.1.conv.weight", TABLE) == "second.conv.weight"
    assert rename_key("second.conv.weight", inverse(TABLE)) == "a.1.conv.weight"
    assert rename_key("a.10.weight", TABLE) is None  # the dots are dots, and numbers are whole
    assert rename_key("xa.0.weight", TABLE) is None


def test_unknown_keys_are_named_and_dropped_ones_are_not() -> None:
    state = {key: torch.zeros(1) for key in ("a.0.w", "old.w", "b.w", "c.w", "d.w", "e.w")}
    with pytest.raises(
        ValueError, match=r"file\.pth: no place in this network for 4 weights, first b\.w, c\.w, d\.w"
    ):
        rename_keys(state, TABLE, dropped=("old.{}",), source="file.pth")
    assert list(rename_keys({"a.0.w": state["a.0.w"]}, TABLE, source="")) == ["first.w"]


def test_load_exactly_names_what_is_wrong_as_the_file_has_it() -> None:
    module = nn.ModuleDict({"first": nn.Linear(2, 3)})
    weight, bias = torch.ones(3, 2), torch.ones(3)
    with pytest.raises(ValueError, match=r"f\.pth: the file has no value for a\.0\.bias"):
        load_exactly(module, {"first.weight": weight}, source="f.pth", table=TABLE)
    with pytest.raises(ValueError, match=r"no place in this network for a\.1\.bias"):
        load_exactly(
            module, {"first.weight": weight, "first.bias": bias, "second.bias": bias}, source="", table=TABLE
        )
    with pytest.raises(
        ValueError, match=r"wrong shape of a\.0\.weight \(\[3, 4\] in the file, expected \[3, 2\]\)"
    ):
        load_exactly(module, {"first.weight": torch.ones(3, 4), "first.bias": bias}, source="", table=TABLE)
    assert not (module["first"].weight == 1).all()  # a refused file changes nothing
    load_exactly(module, {"first.weight": weight}, source="", optional={"first.bias"})
    assert (module["first"].weight == 1).all()


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_code_in_a_file_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": Malicious(tmp_path / "executed")}, tmp_path / "bad.pth")
    with pytest.raises(ValueError, match=r"bad\.pth holds Python objects that could run code"):
        read_tensors(tmp_path / "bad.pth")
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(Malicious(tmp_path / "executed")))
    with pytest.raises(ValueError, match=r"bad\.pkl"):
        read_tensors(tmp_path / "bad.pkl")
    assert not (tmp_path / "executed").exists()


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.pth does not exist"):
        read_tensors(tmp_path / "none.pth")


def test_other_content(tmp_path: Path) -> None:
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(ValueError, match=r"list\.pth holds a list; expected"):
        read_tensors(tmp_path / "list.pth")
    torch.save({"epoch": 3}, tmp_path / "epoch.pth")
    with pytest.raises(ValueError, match=r"epoch\.pth has 'epoch', a int; expected named tensors only"):
        read_tensors(tmp_path / "epoch.pth")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(content=st.binary(max_size=200), keep=st.integers(0, 1200))
def test_damaged_files_are_one_value_error(tmp_path: Path, content: bytes, keep: int) -> None:
    path = tmp_path / "damaged.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged\.pth"):
        read_tensors(path)
    torch.save({"weight": torch.zeros(20)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: min(keep, len(whole) - 1)])
    with pytest.raises(ValueError, match=r"damaged\.pth is damaged or not a PyTorch file"):
        read_tensors(path)
