"""Which model is asked for and how it is loaded; holds no weights and loads nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from codesample.errors import ModelError, ParameterError
from codesample.records.fields import check_settings, setting
from codesample.records.policy import EXACT, Policy
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["DEFAULT_MODEL", "SERVER_OPTIONS", "ModelOptions", "expect_plain_url"]

DEFAULT_MODEL = "tiny"

SERVER_OPTIONS = (
    "base_url",
    "api",
    "api_key_env",
    "max_requests",
    "choices_per_request",
    "request_timeout",
    "max_retries",
)
"""Fields of `ModelOptions` that say how a server is asked."""

_ADAPTER, _TOKENIZER = " +adapter=", " +tokenizer="


def _engine_option(word: str) -> tuple[str, Any]:
    """Read NAME=VALUE: the value as JSON, or else as the word that it is."""
    name, equals, value = word.partition("=")
    if not equals or not name.strip():
        raise ValueError("expected NAME=VALUE")
    try:
        return name.strip().replace("-", "_"), json.loads(value)
    except ValueError:
        return name.strip().replace("-", "_"), value


@validated
@dataclass(frozen=True, slots=True)
class ModelOptions:
    """A model by name and how it is loaded.

    Attributes:
        model: "tiny" (the built-in model), a folder, a GGUF file, a hub id, or "NAME:REST" for another
            engine.
        revision: Branch, tag or commit of a hub id.
        adapter: Folder or hub id of a PEFT adapter to put on the model.
        tokenizer: Folder, GGUF file or hub id of the tokenizer, where it is not beside the weights.
        device: "auto", "cpu", "cuda", "cuda:1" or "xpu".
        dtype: "auto", "float32", "bfloat16" or "float16".
        max_rows: Most candidates decoded together; None lets memory decide.
        memory_fraction: Share of the free memory that key/value stores may take. Range (0, 1].
        compile: Whether decode steps run through `torch.compile`.
        cpu_matmul: What sampling multiplies in on a CPU: "auto", "float32", "bfloat16" or "int8", faster in
            this order and changing what the model says more; see `Sampler`.
        policy: Which keys of long prompts are read, such as "quest(keep=0.2)"; see `Policy.parse`.
        trust_remote_code: Whether code that a checkpoint brings may run here, with all rights of the caller.
        base_url: Address of the server that "openai:MODEL" is asked of, such as "http://localhost:8000/v1";
            without a key. None takes that of OPENAI_BASE_URL.
        api: "chat" puts messages to it, "completions" text to continue; "auto" is chat where the server
            answers to that.
        api_key_env: Environment variable that holds the server's key; None takes OPENAI_API_KEY.
        max_requests: Most requests under way at a time.
        choices_per_request: Candidates that one request asks for. With more than 1, a candidate depends on
            which ones are asked for with it.
        request_timeout: Most that one answer may take, in seconds.
        max_retries: How often a request is sent again that was turned away for now or broke off.
        engine_options: (name, value) pairs that an engine takes besides these; "vllm:MODEL" takes any
            argument of `vllm.LLM`.

    Raises:
        ParameterError: a value outside its range, an engine option named twice, or a URL that holds a user
            name, a password or a query.
    """

    model: str = setting(
        DEFAULT_MODEL,
        "tiny (built in), a folder, a GGUF file, a hub id, or ENGINE:MODEL for another engine.",
        expected="a name",
        holds=lambda value: bool(value),
    )
    revision: str | None = setting(None, "Branch, tag or commit of a hub id.")
    adapter: str | None = setting(None, "Folder or hub id of a PEFT adapter to put on the model.")
    tokenizer: str | None = setting(None, "Where the tokenizer is, if not beside the weights.")
    device: str = setting("auto", "auto, cpu, cuda, cuda:1, xpu, ...")
    dtype: str = setting("auto", "auto, float32, bfloat16 or float16.")
    max_rows: int | None = setting(
        None,
        "Most candidates decoded together; default: 128, on CUDA 512.",
        expected="at least 1",
        holds=lambda value: value is None or value >= 1,
    )
    memory_fraction: float = setting(
        0.8,
        "Share of the free memory for key/value stores.",
        expected="a number in (0, 1]",
        holds=lambda value: 0 < value <= 1,
    )
    compile: bool = setting(False, "Run decode steps through torch.compile.")
    cpu_matmul: str = setting(
        "auto",
        "What a CPU multiplies in: float32; bfloat16, faster with the instructions; int8, less exact; auto.",
        expected="auto, float32, bfloat16 or int8",
        holds=lambda value: value in ("auto", "float32", "bfloat16", "int8"),
    )
    policy: str = setting(
        EXACT, "Which keys of long prompts are read: exact, or such as quest(keep=0.2); see list policies."
    )
    trust_remote_code: bool = setting(False, "Run code that the checkpoint brings, with all your rights.")
    base_url: str | None = setting(
        None, "Address of the server for openai:MODEL, such as http://HOST:8000/v1."
    )
    api: str = setting(
        "auto",
        "chat (messages), completions (text to continue), or auto.",
        expected="auto, chat or completions",
        holds=lambda value: value in ("auto", "chat", "completions"),
    )
    api_key_env: str | None = setting(
        None, "Environment variable with the server's key; default: OPENAI_API_KEY."
    )
    max_requests: int = setting(
        16,
        "Requests to a server under way at a time.",
        expected="at least 1",
        holds=lambda value: value >= 1,
    )
    choices_per_request: int = setting(
        1,
        "Candidates that one request asks for.",
        expected="at least 1",
        holds=lambda value: value >= 1,
    )
    request_timeout: float = setting(
        600.0,
        "Seconds that one answer of a server may take.",
        expected="a number of seconds above 0",
        holds=lambda value: 0 < value < float("inf"),
    )
    max_retries: int = setting(
        8,
        "How often a request is sent again that was turned away for now or broke off.",
        expected="at least 0",
        holds=lambda value: value >= 0,
    )
    engine_options: tuple[tuple[str, Any], ...] = setting(
        (),
        "An argument of the engine's own, such as vLLM's gpu_memory_utilization=0.8; repeatable.",
        expected="a tuple of (name, value) pairs, each name once",
        holds=lambda value: len(dict(value)) == len(value),
        flag="--engine-option",
        metavar="NAME=VALUE",
        parse=_engine_option,
    )

    __repr__ = one_line

    def __post_init__(self) -> None:
        if isinstance(self.base_url, str):
            expect_plain_url(self.base_url, name="base_url")
        check_settings(self)
        Policy.parse(self.policy)
        if self.compile and self.cpu_matmul not in ("auto", "float32"):
            raise ParameterError(f"cpu_matmul = {self.cpu_matmul!r} with compile: expected auto or float32")

    @property
    def name(self) -> str:
        """The name by which a run knows the model, with the revision, adapter and tokenizer asked for."""
        name = self.model if self.revision is None else f"{self.model}@{self.revision}"
        for mark, value in ((_ADAPTER, self.adapter), (_TOKENIZER, self.tokenizer)):
            name += "" if value is None else f"{mark}{value}"
        return name

    @classmethod
    def named(cls, name: str) -> ModelOptions:
        """Return the options that give such a `name`, where all others are left as they are."""
        rest, _, tokenizer = name.partition(_TOKENIZER)
        rest, _, adapter = rest.partition(_ADAPTER)
        model, at, revision = rest.rpartition("@")
        if not (at and model) or os.path.exists(os.path.expanduser(rest)):
            model, revision = rest, ""
        return cls(model, revision=revision or None, adapter=adapter or None, tokenizer=tokenizer or None)

    @property
    def folder(self) -> Path | None:
        """The folder or the GGUF file of the model; None for the built-in one, hub ids and other engines.

        Raises:
            ModelError: what the name leads to cannot be looked at.
        """
        return None if self.model == DEFAULT_MODEL else _there(self.model)

    @property
    def parts(self) -> dict[str, Path | None]:
        """What is put on the model or beside it, by name, with its folder as `folder` is the model's."""
        return {each: _there(each) for each in (self.adapter, self.tokenizer) if each is not None}

    def expect_loaded_here(self) -> None:
        """Refuse options of servers and of other engines, for a model that the native engine loads.

        Raises:
            ParameterError: one was set; names it.
        """
        for each in fields(self):
            if each.name in SERVER_OPTIONS and getattr(self, each.name) != each.default:
                raise ParameterError(
                    f"{each.name} = {getattr(self, each.name)!r}: is for models of a server (--model "
                    f"openai:MODEL), and {self.model!r} is loaded here; leave it out"
                )
        if self.engine_options:
            name, value = self.engine_options[0]
            raise ParameterError(
                f"engine option {name} = {value!r}: is for engines that take such (--model vllm:MODEL), "
                f"and {self.model!r} is loaded natively; leave it out"
            )

    def expect_only(self, known: Collection[str], *, engine: str) -> None:
        """Refuse options that an engine would ignore.

        Args:
            known: The fields that the engine honours, besides `model`.
            engine: Its name, for the message.

        Raises:
            ParameterError: another field was set; names it.
        """
        for each in fields(self):
            if each.name not in {"model", *known} and getattr(self, each.name) != each.default:
                raise ParameterError(
                    f"{each.name} = {getattr(self, each.name)!r}: the engine {engine!r} does not know this "
                    "option; leave it out"
                )


def _there(name: str) -> Path | None:
    path = Path(os.path.expanduser(name))
    try:
        is_gguf = path.suffix.lower() == ".gguf" and path.is_file()
        return path if is_gguf or path.is_dir() else None
    except OSError as error:
        raise ModelError(f"{name}: cannot be looked at: {error.strerror}") from error


def expect_plain_url(url: str, *, name: str) -> None:
    """Refuse what is no HTTP address, or holds more than one; the message shows nothing that may be secret.

    Args:
        name: What it is called in the message.

    Raises:
        ParameterError: as said.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ParameterError(f"{name}: {_EXPECTED_URL}") from None
    if not set(url).isdisjoint("@?#"):
        raise ParameterError(
            f"{name}: holds a user name, a password or a query, which would be recorded; give the address "
            "alone, and the key in an environment variable (--api-key-env NAME)"
        )
    if not known:
        raise ParameterError(f"{name} = {url!r}: {_EXPECTED_URL}")


_EXPECTED_URL = "expected an address such as http://localhost:8000/v1"
