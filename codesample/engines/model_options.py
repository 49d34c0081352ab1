"""Which model is asked for and how it is loaded; holds no weights and loads nothing."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path

from codesample.errors import ModelError, ParameterError
from codesample.records.fields import check_settings, setting
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["DEFAULT_MODEL", "ModelOptions"]

DEFAULT_MODEL = "tiny"

_ADAPTER, _TOKENIZER = " +adapter=", " +tokenizer="


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
        cpu_matmul: What sampling multiplies in on a CPU: "float32", or "int8", which is faster and changes
            what the model says; see `Sampler`.
        trust_remote_code: Whether code that a checkpoint brings may run here, with all rights of the caller.

    Raises:
        ParameterError: a value outside its range.
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
        "float32",
        "What a CPU multiplies in: float32, or int8, which is faster and less exact.",
        expected="'float32' or 'int8'",
        holds=lambda value: value in ("float32", "int8"),
    )
    trust_remote_code: bool = setting(False, "Run code that the checkpoint brings, with all your rights.")

    __repr__ = one_line

    def __post_init__(self) -> None:
        check_settings(self)
        if self.compile and self.cpu_matmul != "float32":
            raise ParameterError(f"cpu_matmul = {self.cpu_matmul!r} with compile: expected one of the two")

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
