"""What is said of a checkpoint that transformers does not load."""

from __future__ import annotations

import os

from codesample.errors import HubUnavailableError, ModelError
from codesample.sampling.loading.checkpoint_origin import AdapterOrigin, CheckpointOrigin

__all__ = ["adapter_error", "load_error", "untrusted"]


def load_error(
    error: Exception, origin: CheckpointOrigin, *, kind: str = "model"
) -> ModelError | HubUnavailableError:
    """Return the error to raise in the place of one that transformers raised, in one line.

    Args:
        kind: What was asked for: "model", or "tokenizer" where one was named apart.
    """
    text = str(error).strip() or type(error).__name__
    first, *more = text.splitlines()
    if more and first.rstrip(":;") != first:
        first = f"{first.rstrip(':;')}: {' '.join(more[0].split())}"
    if isinstance(error, KeyError):
        first = f"transformers does not know {first}"
    if not origin.trusted and "trust_remote_code" in text:
        return untrusted(origin)
    if not os.path.isdir(origin.source) and isinstance(error, OSError | ConnectionError):
        return _out_of_reach(kind, origin.name, first)
    return ModelError(f"{origin.name}: cannot be loaded as a causal language model: {first[:300]}")


def untrusted(origin: CheckpointOrigin) -> ModelError:
    """Return the error of a checkpoint that needs code of its own, which nobody allowed."""
    return ModelError(
        f"{origin.name}: brings code of its own, which runs with all your rights; read it, then allow it "
        "with --trust-remote-code (trust_remote_code=True)"
    )


def adapter_error(error: Exception, adapter: AdapterOrigin) -> ModelError | HubUnavailableError:
    """Return the error to raise in the place of one that peft raised, in one line."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    unfound = isinstance(error, OSError | ConnectionError) or "Can't find" in first
    if not os.path.isdir(adapter.source) and unfound:
        return _out_of_reach("adapter", adapter.name, first)
    return ModelError(f"{adapter.name}: the adapter cannot be put on this model: {first[:300]}")


def _out_of_reach(kind: str, name: str, reason: str) -> HubUnavailableError:
    return HubUnavailableError(
        f"{kind} {name!r} is not on this machine and the hub gave no answer for it ({reason[:160]}); check "
        f"the name and the connection, or give --{kind} a folder"
    )
