"""What the compiler makes of the Triton kernels for GPUs that need not be here."""

import os

import pytest

pytest.importorskip("triton", reason="the Triton kernels need the package triton")
if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("interpreted kernels cannot be compiled", allow_module_level=True)

from codesample.bench.compile_check import (
    CONFIGURATIONS,
    GPUS,
    Configuration,
    compile_configuration,
    table_of_kernels,
)
from codesample.kernels.bifurcated_decode import FixedSplits, StreamK


def assert_sound(configuration: Configuration, capability: int) -> None:
    gpu = GPUS[capability]
    parts, *rest = compile_configuration(configuration, gpu)
    (heads, kv_heads), rows = configuration.heads, configuration.rows
    of_stream = "stream_" if isinstance(configuration.schedule, StreamK) else ""
    first_launch = configuration.schedule is not None or configuration.name.startswith("own tokens first")
    first = of_stream or "parts_"
    assert parts.kernel == (f"{first}kernel" if configuration.shared else "single_kernel")
    if not configuration.shared:
        assert rest == []
    elif first_launch:
        assert [join.kernel for join in rest] == [f"{of_stream}join_kernel"]
    else:
        (join,) = rest
        # the cost model leaves slots of wide elements to the first launch where rows are few for a GPU
        wide = configuration.storage is not None and configuration.dtype.itemsize == 4
        assert join.kernel == "own_join_kernel" or (wide and join.kernel == "join_kernel")
    if configuration.storage is None:
        # a word each: where pieces begin and end, of which that of stream-K has more than loads of keys
        assert of_stream or parts.wide_loads >= parts.narrow_loads
        assert parts.narrow_copies == 0
    for kernel in (parts, *rest):
        assert kernel.spills == 0
        assert kernel.shared <= gpu.block_memory
        assert kernel.registers <= 255
        assert kernel.programs >= 1
    if configuration.dtype.itemsize == 2:
        packed = configuration.queries * heads // kv_heads * (rows if configuration.shared else 1)
        if isinstance(configuration.schedule, FixedSplits):
            packed = 64
        wanted = {
            80: "mma",
            90: "wgmma" if packed > 32 else "mma",
            100: "tcgen05" if packed > 32 else "mma",
        }
        found = parts.matrix.split("+")
        # stream-K and keys in 8 bits have smaller tiles for wide heads, lest they spill; the table has them
        assert wanted[capability] in found or ((of_stream or configuration.storage) and "mma" in found)


def test_the_7b_configuration_on_hopper():
    assert_sound(CONFIGURATIONS[2], 90)


@pytest.mark.parametrize("shared", [True, False])
def test_heads_narrower_than_a_product_needs_compile(shared):
    kernel = compile_configuration(Configuration("width 8", 16, (8, 8), 8, shared=shared), GPUS[90])[0]
    assert kernel.matrix == "mma"
    assert kernel.spills == 0


def shipped() -> list[object]:
    """Return every configuration for every GPU; slow ones are for one and, as by default, another in turn."""
    found = []
    for number, each in enumerate(CONFIGURATIONS):
        by_default = each.storage is None and not each.name.startswith("own tokens first")
        daily = {90, (80, 100)[number % 2]} if by_default else {90}
        for capability in sorted(GPUS):
            mark = pytest.mark.slow if capability in daily else pytest.mark.whole
            found.append(pytest.param(each, capability, marks=mark, id=f"{each.name}, {capability}"))
    return found


@pytest.mark.parametrize(("configuration", "capability"), shipped())
def test_every_shipped_configuration(configuration, capability):
    assert_sound(configuration, capability)


def test_the_table_has_a_row_per_kernel():
    lines = list(table_of_kernels([GPUS[90]], CONFIGURATIONS[2:3]))
    assert len(lines) == 4
    assert all(line.count("|") == 12 for line in lines)
