"""FBGEMM packs whatever library was chosen for all else, from many threads, and the choice stays."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from codesample.sampling.fbgemm import with_fbgemm

pytestmark = pytest.mark.skipif(
    "fbgemm" not in torch.backends.quantized.supported_engines, reason="torch has no FBGEMM here"
)


@pytest.mark.parametrize("engine", ["x86", "fbgemm", "qnnpack"])
def test_the_choice_of_a_library_is_put_back(engine):
    if engine not in torch.backends.quantized.supported_engines:
        pytest.skip(f"torch has no {engine} here")
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = engine
    try:
        with ThreadPoolExecutor(4) as pool:
            seen = list(pool.map(lambda _: with_fbgemm(lambda: torch.backends.quantized.engine), range(200)))
        assert set(seen) <= {"fbgemm", "x86"}
        with pytest.raises(ZeroDivisionError):
            with_fbgemm(lambda: 1 // 0)
        assert torch.backends.quantized.engine == engine
    finally:
        torch.backends.quantized.engine = before
