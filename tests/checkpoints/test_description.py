import contextlib
import copy
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.checkpoints.checkpoint_files import content_of, small_network, small_tree
from yolact_pl.checkpoints.description import (
    ENTRY,
    CheckpointError,
    build_network,
    describes_itself,
    load_weights,
    network_weights,
    read_checkpoint,
    without_weights,
)
from yolact_pl.checkpoints.stored import at_image_size
from yolact_pl.models.yolact import Yolact

Content = dict[str, Any]


@pytest.fixture
def content() -> Content:
    tree = small_tree(2, backbone={"weights": None})
    return content_of(small_network(2, seed=1), ["cat", "dog"], tree)


def test_written_and_read(content: Content, tmp_path: Path) -> None:
    path = tmp_path / "own.ckpt"
    torch.save(content, path)
    read = read_checkpoint(path)
    assert describes_itself(read)
    network = build_network(read[ENTRY]["network"])
    assert isinstance(network, Yolact)
    assert not network.backbone.pretrained
    load_weights(network, network_weights(read), str(path))
    assert network.backbone.pretrained
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, content["state_dict"][f"network.{key}"], rtol=0, atol=0)


def test_other_networks_are_told_apart(content: Content) -> None:
    other = small_network(3, backbone={"depths": [1, 1, 1, 2]})
    before = other.head.shared.weight.clone()
    with pytest.raises(CheckpointError) as error:
        load_weights(other, network_weights(content), "own.ckpt")
    message = str(error.value)
    assert message.startswith("checkpoint own.ckpt is of another architecture or class count: ")
    assert "weights of this network are not in it (first: backbone.layer4.1.conv1.weight)" in message
    # 3 anchors x (1 + 2) and x (1 + 3) rows
    assert "head.class_logits.weight, (9, 8, 3, 3) in the checkpoint, (12, 8, 3, 3) here" in message
    assert torch.equal(other.head.shared.weight, before)


def test_no_weights_are_fetched_to_be_replaced(content: Content) -> None:
    tree = small_tree(
        2, backbone={"weights": "imagenet"}
    )  # there are none for this depth, so fetching would fail
    assert isinstance(build_network(tree), Yolact)
    assert without_weights({"weights": "x", "depths": [1]}) == {"weights": None, "depths": [1]}


def having(value: Any, *keys: str) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        node = content
        for key in keys[:-1]:
            node = node[key]
        node[keys[-1]] = value

    return change


CALL = {"_target_": "os.system", "command": "true"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (having("text", ENTRY), "does not say what network"),
        (having(None, "state_dict"), "has no weights"),
        (having(3, "state_dict", "network.x"), r"weight network\.x is a int, not a tensor"),
        (having("cat", ENTRY, "class_names"), "no usable class_names"),
        (having(["cat"], ENTRY, "class_names"), "has 1 class names for 2 category ids"),
        (
            having(CALL, ENTRY, "network", "backbone"),
            r"asks for os\.system; only networks of yolact_pl\.models",
        ),
        (having(CALL, ENTRY, "config", "schedule"), r"its config asks for os\.system; only optimizers"),
        (having(CALL, ENTRY, "decoder"), r"asks for os\.system, which is no decoder of yolact_pl\.decoders"),
        (having([{"a": CALL}], ENTRY, "config", "model"), r"its config asks for os\.system"),
        (
            having("${oc.decode:'{_target_: os.system}'}", ENTRY, "config", "model"),
            r"its config asks for \$\{oc\.decode",
        ),
        (
            having({"_target_": "yolact_pl.cli.main.os.system"}, ENTRY, "config", "model"),
            r"asks for yolact_pl\.cli\.main\.os\.system",
        ),
        (
            having({"_target_": "yolact_pl.data.datamodule.os.system"}, ENTRY, "config", "dataset"),
            r"asks for yolact_pl\.data\.datamodule\.os\.system",
        ),
        (
            having(
                {"_target_": "yolact_pl.models.weight_files.cached_download"}, ENTRY, "network", "anchors"
            ),
            r"asks for yolact_pl\.models\.weight_files\.cached_download",
        ),
        (
            having({"_target_": "yolact_pl.models.weight_files.Path"}, ENTRY, "network", "anchors"),
            r"asks for yolact_pl\.models\.weight_files\.Path",
        ),
        (
            having({"_target_": "torch.optim.lr_scheduler.torch"}, ENTRY, "config", "schedule"),
            r"asks for torch\.optim\.lr_scheduler\.torch",
        ),
    ],
)
def test_descriptions_that_are_not_trusted(
    change: Callable[[Content], None], message: str, content: Content, tmp_path: Path
) -> None:
    change(content)
    torch.save(content, tmp_path / "bad.ckpt")
    with pytest.raises(CheckpointError, match=rf"checkpoint .*bad\.ckpt: .*{message}"):
        read_checkpoint(tmp_path / "bad.ckpt")


def test_what_a_run_stores_is_trusted(content: Content, tmp_path: Path) -> None:
    content[ENTRY]["config"] |= {
        "schedule": {"_target_": "yolact_pl.schedule.Schedule", "optimizer": {"_target_": "torch.optim.SGD"}},
        "model": {"postprocess": {"_target_": "yolact_pl.postprocess.Postprocess"}},
        "trainer": {"_target_": "pytorch_lightning.Trainer"},  # a task takes its own
        "callbacks": {"mine": {"_target_": "anything.Else"}},
    }
    torch.save(content, tmp_path / "own.ckpt")
    assert describes_itself(read_checkpoint(tmp_path / "own.ckpt"))


def test_arguments_that_do_not_fit() -> None:
    with pytest.raises(CheckpointError, match=r"checkpoint a\.ckpt: Yolact cannot be built: .*colour"):
        build_network(small_tree(2, colour="red"), origin="a.ckpt")
    with pytest.raises(CheckpointError, match="only networks of"):
        build_network(CALL)


class Malicious:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, ("executed",))


def test_code_in_a_checkpoint_is_not_run(
    content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content["hyper_parameters"] = Malicious()
    torch.save(content, "bad.ckpt")
    with pytest.raises(CheckpointError, match=r"bad\.ckpt holds Python objects that could run code"):
        read_checkpoint("bad.ckpt")
    Path("bad.pkl").write_bytes(pickle.dumps(Malicious(), protocol=2))
    with pytest.raises(CheckpointError, match=r"bad\.pkl holds Python objects that could run code"):
        read_checkpoint("bad.pkl")
    assert not Path("executed").exists()


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.ckpt does not exist"):
        read_checkpoint(tmp_path / "none.ckpt")
    with pytest.raises(CheckpointError, match="is not a file"):
        read_checkpoint(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(data=st.data())
def test_any_damage_is_one_error(data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "cut.ckpt"
    torch.save({ENTRY: {"network": {}}, "state_dict": {"a": torch.zeros(50)}}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(CheckpointError, match=r"cut\.ckpt is damaged or not a PyTorch file"):
        read_checkpoint(path)


PLAIN = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_target_", "network", "config", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(key=st.sampled_from(["network", "class_names", "category_ids", "image_size", "config"]), value=PLAIN)
def test_any_description_is_read_or_one_error(key: str, value: Any, content: Content, tmp_path: Path) -> None:
    changed = {ENTRY: copy.deepcopy(content[ENTRY]), "state_dict": {}}
    changed[ENTRY][key] = value
    torch.save(changed, tmp_path / "any.ckpt")
    with contextlib.suppress(CheckpointError):
        build_network(read_checkpoint(tmp_path / "any.ckpt")[ENTRY]["network"])


def test_only_anchors_of_several_shapes_depend_on_the_image_size() -> None:
    points: dict[str, Any] = {
        "_target_": "yolact_pl.models.modern.yolact_modern.YolactModern",
        "channels": 32,
    }
    assert at_image_size(points, 320) == points
    shapes = {**points, "anchors": {"scales": [24], "image_size": 550}}
    assert at_image_size(shapes, (64, 96))["anchors"] == {"scales": [24], "image_size": [64, 96]}
