import logging

import pytest
import torch

from yolact_pl.models.fast.half_precision import cpu_has_bfloat16, half_precision


@pytest.mark.parametrize(
    ("capabilities", "native"),
    [
        ({"avx2": True}, False),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": False}, False),
        ({"avx2": True, "avx512_bf16": True}, True),
        ({"avx2": True, "amx_bf16": True}, True),
        ({"neon": True, "fp16_arith": True}, False),
        ({"neon": True, "bf16": True}, True),
    ],
)
def test_cpu_without_bfloat16_gets_float32_and_a_word(
    capabilities: dict[str, bool],
    native: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    with caplog.at_level(logging.WARNING):
        assert half_precision(torch.device("cpu")) == (torch.bfloat16 if native else torch.float32)
        assert half_precision(torch.device("cuda")) == half_precision(torch.device("mps")) == torch.float16
    said = "half=true: float32 is used, since this CPU has no bfloat16 arithmetic"
    assert [message.startswith(said) for message in caplog.messages] == ([] if native else [True])


@pytest.mark.parametrize(("width", "native"), [("AVX2", False), ("DEFAULT", False), ("AVX512", True)])
def test_older_torch_tells_the_width_of_vectors(
    width: str, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: width)
    assert cpu_has_bfloat16() == native
