"""What stands in the way of vLLM is said in one line, and every option is taken or refused by name."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fake_vllm import installed
from typer.testing import CliRunner

from codesample import ModelOptions, VllmEngine
from codesample.cli.app import app
from codesample.engines.registry import open_engine
from codesample.errors import ModelError, ParameterError, UnknownNameError


def refusal(**options: Any) -> str:
    with pytest.raises((ModelError, ParameterError, UnknownNameError)) as found:
        open_engine(ModelOptions(**{"model": "vllm:tiny", **options}))
    said = str(found.value)
    assert "\n" not in said
    return said


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    assert "pip install 'codesample[vllm]'" in refusal()


def test_a_build_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(sys.modules, "vllm", raising=False)
    (tmp_path / "vllm.py").write_text(
        "raise ImportError('libcudart.so.13: cannot open\\nshared object file')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert refusal() == "vllm: cannot be loaded: libcudart.so.13: cannot open shared object file"


def test_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with installed(monkeypatch, device=""):
        assert "this build of 0.33.0 finds no GPU" in refusal()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"device": "cpu"}, "device = 'cpu': .*CUDA_VISIBLE_DEVICES"),
        ({"memory_fraction": 0.5}, "memory_fraction = 0.5: .*gpu_memory_utilization"),
        ({"adapter": "x/y"}, "adapter = 'x/y'"),
        ({"base_url": "http://h/v1"}, "base_url = 'http://h/v1'"),
        ({"engine_options": (("gpu_memory_utilisation", 0.5),)}, "did you mean 'gpu_memory_utilization'"),
        ({"engine_options": (("dtype", "half"),)}, "engine option dtype = 'half': say --dtype instead"),
        ({"engine_options": (("skip_tokenizer_init", False),)}, "is settled here; leave it out"),
        (
            {"engine_options": (("logprobs_mode", "raw_logits"),)},
            "expected raw_logprobs or processed_logprobs",
        ),
        ({"engine_options": (("gpu_memory_utilization", 7),)}, "vLLM cannot load it: 1 validation error"),
        ({"model": "vllm:./nowhere"}, "unknown model"),
        ({"model": "vllm:tiny.gguf"}, "unknown model|GGUF"),
    ],
    ids=str,
)
def test_options_are_taken_or_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], said: str
) -> None:
    with installed(monkeypatch):
        assert re.search(said, refusal(**options))


def test_other_engines_refuse_engine_options() -> None:
    options = ModelOptions("tiny", engine_options=(("max_model_len", 3),))
    with pytest.raises(ParameterError, match=r"engine option max_model_len = 3: .* loaded natively"):
        open_engine(options)
    with pytest.raises(ParameterError, match="engine_options = "):
        open_engine(ModelOptions("openai:x", engine_options=(("a", 1),)))
    with pytest.raises(ParameterError, match="each name once"):
        ModelOptions("vllm:tiny", engine_options=(("a", 1), ("a", 2)))


def test_the_command_line_reads_values_as_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    real = VllmEngine.__init__

    def watched(self: VllmEngine, model: str, options: ModelOptions) -> None:
        seen.append(dict(options.engine_options))
        real(self, model, options)

    monkeypatch.setattr(VllmEngine, "__init__", watched)
    words = ["sample", "def f(x):", "--model", "vllm:tiny", "--max-new-tokens", "3", "--n", "2"]
    for each in ("max_model_len=64", "quantization=fp8", "enable-prefix-caching=true"):
        words += ["--engine-option", each]
    with installed(monkeypatch):
        result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert seen == [{"max_model_len": 64, "quantization": "fp8", "enable_prefix_caching": True}]
    result = CliRunner().invoke(app, [*words[:4], "--engine-option", "nothing"])
    assert result.exit_code != 0


def test_it_is_quiet_on_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    with installed(monkeypatch):
        for name in ("VLLM_LOGGING_STREAM", "VLLM_NO_USAGE_STATS"):
            monkeypatch.delenv(name)
        open_engine(ModelOptions("vllm:tiny"))
        assert os.environ["VLLM_LOGGING_STREAM"] == "ext://sys.stderr"
        assert os.environ["VLLM_NO_USAGE_STATS"] == "1"


def test_what_the_model_is_made_with(monkeypatch: pytest.MonkeyPatch) -> None:
    with installed(monkeypatch):
        engine: Any = open_engine(
            ModelOptions("vllm:tiny", dtype="bfloat16", engine_options=(("tensor_parallel_size", 4),))
        )
    given = engine._llm.llm_engine.arguments
    assert (given["dtype"], given["tensor_parallel_size"]) == ("bfloat16", 4)
    assert given["skip_tokenizer_init"] is True
    assert given["model"].endswith("weights")
    facts = engine.describe()
    assert facts["engine"] == "vllm 0.33.0"
    assert facts["engine_options"] == {"tensor_parallel_size": 4}
    assert isinstance(sys.modules.get("vllm"), ModuleType | type(None))
