from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from yolact_pl.models.backbones.darknet import DarkNet53


def test_is_timms_darknet_with_a_slope_of_a_tenth() -> None:
    torch.manual_seed(0)
    ours = DarkNet53().eval()
    theirs = timm.create_model("darknet53", features_only=True, out_indices=(2, 3, 4, 5)).eval()
    for module in theirs.modules():
        if isinstance(module, nn.LeakyReLU):
            module.negative_slope = 0.1
    values = [value for key, value in ours.state_dict().items() if not key.endswith("num_batches_tracked")]
    keys = [key for key in theirs.state_dict() if not key.endswith("num_batches_tracked")]
    theirs.load_state_dict(dict(zip(keys, values, strict=True)), strict=False)
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        features, expected = ours(x), theirs(x)
    for feature, reference, channels in zip(features, expected, ours.channels, strict=True):
        assert feature.shape[1] == channels
        torch.testing.assert_close(feature, reference)
    assert not ours.pretrained


def test_loads_the_published_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    source = DarkNet53()
    state = source.state_dict()
    published = {key.replace("stem.", "_preconv.").replace("stages.", "layers."): state[key] for key in state}
    assert "layers.4.3.conv2.1.weight" in published
    assert "_preconv.0.weight" in published
    torch.save(published, tmp_path / "darknet53.pth")
    loaded = DarkNet53(weights=tmp_path / "darknet53.pth")
    torch.testing.assert_close(dict(loaded.state_dict()), dict(state))
    assert loaded.pretrained
    monkeypatch.setenv("YOLACT_PL_CACHE", str(tmp_path))  # where the file is as if it had been fetched
    torch.testing.assert_close(dict(DarkNet53(weights="imagenet").state_dict()), dict(state))
    del published["layers.2.1.conv1.0.weight"]
    torch.save(published, tmp_path / "darknet53.pth")
    with pytest.raises(ValueError, match=r"the file has no value for layers\.2\.1\.conv1\.0\.weight"):
        DarkNet53(weights=tmp_path / "darknet53.pth")
