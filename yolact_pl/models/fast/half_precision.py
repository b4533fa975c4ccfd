"""Choice of a 16-bit type per device."""

import logging

import torch

logger = logging.getLogger(__name__)

NATIVE_BFLOAT16 = ("avx512_bf16", "amx_bf16", "avx10_2", "bf16", "sve_bf16")
"""Names of `torch.cpu.get_capabilities`: x86 first, then ARM."""
SLOW_BFLOAT16 = "float32 is used, since this CPU has no bfloat16 arithmetic and would take longer in 16 bits"


def half_precision(device: torch.device) -> torch.dtype:
    """float16 on GPUs, bfloat16 on a CPU that computes in it, else float32, which the log then says."""
    if device.type != "cpu":
        return torch.float16
    if cpu_has_bfloat16():
        return torch.bfloat16
    logger.warning("half=true: %s", SLOW_BFLOAT16)
    return torch.float32


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies in bfloat16; emulated, a network takes up to 12 times as long."""
    if not hasattr(torch.cpu, "get_capabilities"):  # an older torch: all that it says is the vector width
        return torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in NATIVE_BFLOAT16)
