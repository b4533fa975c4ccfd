"""A GPU that is not there: its tensors know shape, type and device, but hold no numbers."""

from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class FakeGpu(TorchDispatchMode):
    """Operations on tensors of the CPU run as ever; those on "cuda" work out shapes only.

    So whatever needs a number from the GPU fails, as does an operation on tensors of both devices. Copies for
    which the CPU has to wait are refused, unless `may_wait`.

    Args:
        may_wait: see above.
        like_mps: refuse float64 and `embedding_bag`, which Apple's GPUs lack.
    """

    def __init__(self, *, may_wait: bool = False, like_mps: bool = False) -> None:
        super().__init__()
        self.may_wait = may_wait
        self.like_mps = like_mps
        self.fake = FakeTensorMode(allow_non_fake_inputs=True)

    def __enter__(self) -> "FakeGpu":
        self.fake.__enter__()
        return super().__enter__()

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self.fake.__exit__(*exception)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.is_inference_mode_enabled() and func.namespace == "aten":  # not yet taken apart
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        if func is torch.ops.aten._pin_memory.default:
            return args[0].clone()
        target = torch.device(kwargs.get("device") or "cpu").type
        fake = any(isinstance(leaf, FakeTensor) for leaf in tree_leaves((args, kwargs)))
        copies = func is torch.ops.aten._to_copy.default and kwargs.get("device")
        if copies and not self.may_wait and target != args[0].device.type:
            assert target == "cuda", "the CPU waits for numbers of the GPU"
            assert kwargs.get("non_blocking"), "the CPU waits until the GPU has taken its numbers"
        if fake or target == "cuda":
            found = func(*args, **kwargs)
            if self.like_mps:
                assert "embedding_bag" not in func.name(), "MPS has no such operator"
                on_gpu = [x for x in tree_leaves(found) if isinstance(x, FakeTensor) and x.is_cuda]
                assert not any(x.dtype == torch.float64 for x in on_gpu), "MPS has no float64"
            return found
        with unset_fake_temporarily():
            return func(*args, **kwargs)
