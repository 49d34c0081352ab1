"""What an evaluation can be asked to do; the defaults of the library and of the command line are these."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codesample.errors import MetricError, ModelError, ParameterError
from codesample.hub import expect_hub

if TYPE_CHECKING:
    from codesample.engines.contract import Engine

__all__ = ["DEFAULT_K", "DEFAULT_MODEL", "DEFAULT_N", "DEFAULT_RERANKERS", "ModelOptions", "choose_k"]

DEFAULT_MODEL = "tiny"

DEFAULT_N = 32
"""Candidates per problem."""

DEFAULT_K = (1, 5, 10)
"""The k of pass@k; those above n are left out where the caller named none."""

DEFAULT_RERANKERS = ("mean_logprob", "public_examples", "public_examples,mean_logprob")


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """A model by name and how it is loaded; holds no weights.

    Attributes:
        model: "tiny" (the built-in model), a folder, or a hub id.
        revision: Branch, tag or commit of a hub id.
        device: "auto", "cpu", "cuda" or "cuda:1".
        dtype: "auto", "float32", "bfloat16" or "float16".
        max_rows: Most candidates decoded together; None lets memory decide.
        memory_fraction: Share of the free memory that key/value stores may take. Range (0, 1].
        compile: Whether decode steps run through `torch.compile`.
    """

    model: str = DEFAULT_MODEL
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    max_rows: int | None = None
    memory_fraction: float = 0.8
    compile: bool = False

    @property
    def folder(self) -> Path | None:
        """The folder that holds the model; None for the built-in one and for a hub id.

        Raises:
            ModelError: what the name leads to cannot be looked at.
        """
        path = Path(os.path.expanduser(self.model))
        try:
            return path if self.model != DEFAULT_MODEL and path.is_dir() else None
        except OSError as error:
            raise ModelError(f"{self.model}: cannot be looked at: {error.strerror}") from error

    def load(self) -> Engine:
        """Load the weights; the only slow step of a run's preparation.

        Raises:
            UnknownNameError: no such model.
            HubUnavailableError: the model is not on this machine and the hub cannot be reached.
            ModelError: the checkpoint is broken or does not fit into memory.
        """
        # a hub id; built-in names and folders need no network
        if self.folder is None and "/" in self.model:
            expect_hub()
        from codesample.sampling import Sampler

        return Sampler(
            self.model,
            revision=self.revision,
            device=self.device,
            dtype=self.dtype,
            max_rows=self.max_rows,
            memory_fraction=self.memory_fraction,
            compile=self.compile,
        )


def choose_k(k: Sequence[int] | None, n: int) -> tuple[int, ...]:
    """Return the k to report, ascending; `DEFAULT_K` as far as `n` allows where none is named.

    Raises:
        ParameterError: n is below 1.
        MetricError: a k is below 1 or above n, for which pass@k is not defined.
    """
    if n < 1:
        raise ParameterError(f"n = {n}: expected at least 1 candidate per problem")
    if k is None:
        return tuple(value for value in DEFAULT_K if value <= n)
    for value in k:
        if not 1 <= value <= n:
            raise MetricError(f"k = {value} with n = {n}: pass@k needs 1 <= k <= n; sample more or lower k")
    return tuple(sorted(set(k))) or choose_k(None, n)
