"""Compile the Triton kernels for GPUs that need not be here, and read what the compiler made of them.

`python -m codesample.bench.compile_check` prints the table of every shipped
configuration; nothing runs on a GPU, so the table states resources and instructions, never times.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from codesample.bench.tables import table_lines
from codesample.kernels.bifurcated_decode import (
    DecodeBatch,
    DecodeOutput,
    FixedSplits,
    LayerStore,
    PackedKeys,
    PackedKind,
    PackedStore,
    ScoreOptions,
    Segment,
    StepSchedule,
    StreamK,
)
from codesample.kernels.bifurcated_decode.call import Call
from codesample.kernels.bifurcated_decode.cost import OwnTokens
from codesample.kernels.bifurcated_decode.triton import GpuKind, Launch, PreparedTriton

__all__ = [
    "CONFIGURATIONS",
    "GPUS",
    "Configuration",
    "Gpu",
    "Resources",
    "compile_configuration",
    "table_of_kernels",
]


@dataclass(frozen=True)
class Gpu:
    """Limits of one compute capability, from the vendor's programming guide; memory in bytes.

    Attributes:
        capability: Compute capability times ten.
        multiprocessors: Of the data-centre part.
        block_memory: Shared memory one program may have.
        memory: Shared memory of a multiprocessor.
        reserved: Shared memory the system keeps per program.
        registers, warps, programs: Per multiprocessor.
    """

    capability: int
    multiprocessors: int
    block_memory: int
    memory: int
    reserved: int = 1024
    registers: int = 65536
    warps: int = 64
    programs: int = 32


GPUS = {
    80: Gpu(80, 108, 163 << 10, 164 << 10),
    90: Gpu(90, 132, 227 << 10, 228 << 10),
    100: Gpu(100, 148, 227 << 10, 228 << 10),
}


@dataclass(frozen=True)
class Configuration:
    """R rows of one prompt, H query and G KV heads of width D, options, one launch or two, a schedule.

    A slot holds `capacity` tokens; `own`, who attends to a row's own, is the cost model's affair if None;
    `storage` is of shared keys and values.
    """

    name: str
    rows: int
    heads: tuple[int, int]
    width: int
    dtype: torch.dtype = torch.bfloat16
    queries: int = 1
    window: int | None = None
    softcap: float | None = None
    sinks: bool = False
    shared: bool = True
    schedule: StepSchedule | None = None
    capacity: int = 512
    own: OwnTokens | None = None
    storage: PackedKind | None = None


CONFIGURATIONS = (
    Configuration("7B MHA, 1 row", 1, (32, 32), 128),
    Configuration("7B MHA, 32 rows", 32, (32, 32), 128),
    Configuration("7B MHA, 64 rows", 64, (32, 32), 128),
    Configuration("7B MHA, 128 rows", 128, (32, 32), 128),
    Configuration("Mistral 7B, 4 rows", 4, (32, 8), 128),
    Configuration("Mistral 7B, 32 rows", 32, (32, 8), 128, window=4096),
    Configuration("Qwen2.5-Coder 7B, 8 rows", 8, (28, 4), 128),
    Configuration("Qwen2.5-Coder 1.5B, 64 rows", 64, (12, 2), 128),
    Configuration("StarCoder 15B MQA, 32 rows", 32, (48, 1), 128),
    Configuration("width 64, 64 rows", 64, (16, 16), 64),
    Configuration("width 80, 64 rows", 64, (32, 32), 80),
    Configuration("width 96, 64 rows", 64, (32, 32), 96),
    Configuration("width 256, 64 rows, soft cap", 64, (8, 8), 256, softcap=50.0, window=4096),
    Configuration("Gemma 2 9B, 64 rows", 64, (16, 8), 256, softcap=50.0, window=4096),
    Configuration("sinks and window, 16 rows", 16, (64, 8), 64, window=128, sinks=True),
    Configuration("four queries per row", 16, (32, 8), 128, queries=4),
    Configuration("one launch, 2 rows", 2, (32, 8), 128, shared=False),
    Configuration(
        "one launch, 2 rows, all features",
        2,
        (32, 8),
        128,
        window=512,
        softcap=30.0,
        sinks=True,
        shared=False,
    ),
    Configuration("one launch, 48 heads per KV head", 2, (48, 1), 128, shared=False),
    Configuration("fp16, 64 rows", 64, (32, 32), 128, dtype=torch.float16),
    Configuration("fp32, 16 rows", 16, (32, 32), 128, dtype=torch.float32),
    Configuration("fp32, 128 rows", 128, (32, 32), 128, dtype=torch.float32),
    Configuration("fp32, width 64, 128 rows", 128, (32, 32), 64, dtype=torch.float32),
    Configuration("fp32, width 256, 64 rows", 64, (16, 8), 256, dtype=torch.float32),
    Configuration("own tokens first, 7B MHA, 1 row", 1, (32, 32), 128, capacity=8192),
    Configuration("own tokens first, Mistral 7B, 4 rows", 4, (32, 8), 128, window=4096, capacity=8192),
    Configuration("own tokens first, Mistral 7B, 32 rows", 32, (32, 8), 128, own="split"),
    Configuration("own tokens first, Qwen2.5-Coder 7B, 8 rows", 8, (28, 4), 128, capacity=4096),
    Configuration(
        "own tokens first, Gemma 2 9B, 8 rows",
        8,
        (16, 8),
        256,
        softcap=50.0,
        window=4096,
        sinks=True,
        capacity=4096,
    ),
    Configuration("own tokens first, fp32, 8 rows", 8, (32, 8), 128, dtype=torch.float32, capacity=4096),
    Configuration("64 queries per KV head", 4, (64, 1), 128),
    Configuration("128 queries per KV head", 4, (32, 2), 64, queries=8),
    Configuration("int8, 7B MHA, 32 rows", 32, (32, 32), 128, storage="int8"),
    Configuration("int8, Mistral 7B, 32 rows", 32, (32, 8), 128, window=4096, storage="int8"),
    Configuration("int8, Qwen2.5-Coder 7B, 8 rows", 8, (28, 4), 128, storage="int8"),
    Configuration("int8, Gemma 2 9B, 64 rows", 64, (16, 8), 256, softcap=50.0, window=4096, storage="int8"),
    Configuration("int8, one launch, 2 rows", 2, (32, 8), 128, shared=False, storage="int8"),
    Configuration("int8, fp32, 32 rows", 32, (32, 8), 128, dtype=torch.float32, storage="int8"),
    Configuration("fp8, 7B MHA, 32 rows", 32, (32, 32), 128, storage="fp8"),
    Configuration("fp8, Mistral 7B, 32 rows", 32, (32, 8), 128, storage="fp8"),
    Configuration("fp8, StarCoder 15B MQA, 32 rows", 32, (48, 1), 128, storage="fp8"),
    Configuration("fp8, width 64, 64 rows", 64, (16, 16), 64, dtype=torch.float16, storage="fp8"),
    Configuration("fp8, stream-k, Mistral 7B, 32 rows", 32, (32, 8), 128, schedule=StreamK(), storage="fp8"),
    Configuration("stream-k, 7B MHA, 1 row", 1, (32, 32), 128, schedule=StreamK()),
    Configuration("stream-k, 7B MHA, 32 rows", 32, (32, 32), 128, schedule=StreamK()),
    Configuration("stream-k, 7B MHA, 128 rows", 128, (32, 32), 128, schedule=StreamK()),
    Configuration("stream-k, Mistral 7B, 32 rows", 32, (32, 8), 128, window=4096, schedule=StreamK()),
    Configuration("stream-k, Qwen2.5-Coder 7B, 8 rows", 8, (28, 4), 128, schedule=StreamK()),
    Configuration("stream-k, StarCoder 15B MQA, 32 rows", 32, (48, 1), 128, schedule=StreamK()),
    Configuration(
        "stream-k, Gemma 2 9B, 64 rows", 64, (16, 8), 256, softcap=50.0, window=4096, schedule=StreamK()
    ),
    Configuration(
        "stream-k, sinks and window, 16 rows", 16, (64, 8), 64, window=128, sinks=True, schedule=StreamK()
    ),
    Configuration("stream-k, four queries per row", 16, (32, 8), 128, queries=4, schedule=StreamK()),
    Configuration("stream-k, fp32, 128 rows", 128, (32, 32), 128, dtype=torch.float32, schedule=StreamK()),
    Configuration("fixed splits, 7B MHA, 8 rows", 8, (32, 32), 128, schedule=FixedSplits()),
    Configuration("fixed splits, Mistral 7B, 128 rows", 128, (32, 8), 128, schedule=FixedSplits()),
)


@dataclass(frozen=True)
class Resources:
    """What one compiled kernel takes and contains.

    Attributes:
        kernel: Its name.
        warps: Per program.
        registers: Per thread.
        shared: Bytes of shared memory per program.
        spills: Loads and stores of local memory in the machine code.
        wide_loads: 16-byte loads from global memory.
        narrow_loads: Loads from global memory of fewer bytes, such as the schedule's and the lengths'.
        narrow_copies: Those of them that copy into shared memory, as the tiles of keys and values are.
        matrix: Matrix instructions: "wgmma", "mma", "tcgen05", or "none".
        programs: Programs that fit one multiprocessor, by registers, shared memory and warps.
    """

    kernel: str
    warps: int
    registers: int
    shared: int
    spills: int
    wide_loads: int
    narrow_loads: int
    narrow_copies: int
    matrix: str
    programs: int


@cache
def compile_configuration(configuration: Configuration, gpu: Gpu) -> tuple[Resources, ...]:
    """Compile the kernels of one call as the launcher would launch them on `gpu`.

    Raises:
        Exception: what Triton or its assembler says where a kernel does not compile.
    """
    return tuple(_compile(launch, gpu) for launch in _launches(configuration, gpu))


def _launches(c: Configuration, gpu: Gpu) -> tuple[Launch, ...]:
    (heads, kv_heads), context = c.heads, 8192

    def empty(*shape: int, dtype: torch.dtype = c.dtype) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device="meta")

    batch = DecodeBatch.build(
        [Segment(0, context, 0, c.rows, 0)], slots=range(c.rows), own_starts=[context] * c.rows
    )
    shared, own = (kv_heads, context, c.width), (c.rows, kv_heads, c.capacity, c.width)
    store = LayerStore(empty(*shared), empty(*shared), empty(*own), empty(*own))
    if c.storage:
        pool = PackedKeys.empty(kv_heads, context, c.width, kind=c.storage, device=torch.device("meta"))
        nothing = empty(kv_heads, 0, c.width)
        store = PackedStore.of(LayerStore(nothing, nothing, *store[2:]), pool)
    q = empty(c.rows, c.queries, heads, c.width)
    new = empty(c.rows, c.queries, kv_heads, c.width)
    result = DecodeOutput(torch.empty_like(q), empty(*q.shape[:3], dtype=torch.float32))
    sinks = empty(heads, dtype=torch.float32) if c.sinks else None
    scores = ScoreOptions(c.width**-0.5, c.window, c.softcap, sinks)
    call = Call(q, new, new, store, empty(c.rows, dtype=torch.int32), scores)
    kind = GpuKind(gpu.multiprocessors, gpu.capability)
    prepared = PreparedTriton(batch, "meta", schedule=c.schedule, gpu=kind)
    return prepared.launches(call, result, replace(prepared.tiling(call, c.own), shared=c.shared))


def _compile(launch: Launch, gpu: Gpu) -> Resources:
    kernel = launch.kernel
    signature: dict[str, str] = {}
    constants: dict[str, Any] = dict(launch.constants)
    aligned: dict[tuple[int], list[list[Any]]] = {}
    for index, (name, value) in enumerate(zip(kernel.arg_names, launch.arguments, strict=False)):
        if isinstance(value, torch.Tensor):
            signature[name] = (
                "*" + triton.runtime.jit.type_canonicalisation_dict[str(value.dtype).split(".")[1]]
            )
            aligned[(index,)] = [["tt.divisibility", 16]]
        elif isinstance(value, float):
            signature[name] = "fp32"
        elif value == 1:
            constants[name] = 1
        else:
            signature[name] = "i32"
            if value % 16 == 0:
                aligned[(index,)] = [["tt.divisibility", 16]]
    signature |= dict.fromkeys(constants, "constexpr")
    source = ASTSource(kernel, signature, constexprs=constants, attrs=aligned)
    compiled = triton.compile(source, target=GPUTarget("cuda", gpu.capability, 32), options=launch.options)
    return _read(compiled, launch.warps, gpu)


def _read(compiled: Any, warps: int, gpu: Gpu) -> Resources:
    with tempfile.TemporaryDirectory() as folder:
        cubin = Path(folder, "kernel.cubin")
        cubin.write_bytes(compiled.asm["cubin"])
        usage = _cuobjdump("--dump-resource-usage", str(cubin))
        code = _cuobjdump("--dump-sass", str(cubin))
    registers = int(re.findall(r"REG:(\d+)", usage)[-1])
    loads = re.findall(r"\b(LDG|LDGSTS)(\.\S+)", code)
    wide = sum(1 for _, kind in loads if ".128" in kind)
    shared = compiled.metadata.shared
    by_registers = gpu.registers // (-(-registers // 8) * 8 * 32 * warps)
    by_memory = gpu.memory // (shared + gpu.reserved)
    names = {"HGMMA": "wgmma", "UTCHMMA": "tcgen05", "UTCMMA": "tcgen05", "HMMA": "mma"}
    return Resources(
        kernel=compiled.metadata.name,
        warps=warps,
        registers=registers,
        shared=shared,
        spills=len(re.findall(r"\b(?:LDL|STL)\b", code)),
        wide_loads=wide,
        narrow_loads=len(loads) - wide,
        narrow_copies=sum(1 for op, kind in loads if op == "LDGSTS" and ".128" not in kind),
        matrix="+".join(dict.fromkeys(name for op, name in names.items() if re.search(rf"\b{op}\b", code)))
        or "none",
        programs=min(by_registers, by_memory, gpu.warps // warps, gpu.programs),
    )


@cache
def _tool() -> str:
    return str(Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump")


def _cuobjdump(*arguments: str) -> str:
    return subprocess.run([_tool(), *arguments], check=True, capture_output=True, text=True).stdout


def table_of_kernels(
    gpus: Sequence[Gpu], configurations: Sequence[Configuration] = CONFIGURATIONS
) -> Iterator[str]:
    """Yield the lines of a Markdown table, a row per configuration, GPU and kernel, as they are compiled."""
    columns = (
        "configuration",
        "cc",
        "kernel",
        "warps",
        "registers",
        "shared, KiB",
        "spills",
        "16-byte loads",
        "other loads",
        "matrix",
        "programs per SM",
    )
    return table_lines(
        columns,
        (
            (
                configuration.name,
                gpu.capability / 10,
                r.kernel.strip("_"),
                r.warps,
                r.registers,
                f"{r.shared / 1024:.1f}",
                r.spills,
                r.wide_loads,
                r.narrow_loads,
                r.matrix,
                r.programs,
            )
            for configuration in configurations
            for gpu in gpus
            for r in compile_configuration(configuration, gpu)
        ),
    )


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--capability", type=int, nargs="*", choices=sorted(GPUS), default=sorted(GPUS))
    for line in table_of_kernels([GPUS[c] for c in parser.parse_args().capability]):
        print(line, flush=True)


if __name__ == "__main__":
    _main()
