"""What servers that name themselves say in other words than most: the size of seeds, options, and extras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Dialect", "dialect_of"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is special about one kind of server.

    Attributes:
        seed_bits: How large its seeds may be.
        spelling: Its own names of options, by ours.
        extras: By name, further fields that requests carry, for as many of them as it takes.
    """

    seed_bits: int = 63
    spelling: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


_LLAMA = Dialect(
    # those of 32 bits; the largest means a random one
    seed_bits=31,
    spelling={"repetition_penalty": "repeat_penalty"},
    extras={
        # without it, no answer says whether a stop or the model itself ended the text
        "named stops": {"verbose": True, "response_fields": ["stopping_word"]},
        # penalties look at the last 64 tokens otherwise
        "penalised": {"repeat_last_n": 1 << 16},
        # samplers that a command line, or a model's own file, may have turned on
        "others off": {
            "typical_p": 1.0,
            "top_n_sigma": -1.0,
            "xtc_probability": 0.0,
            "dry_multiplier": 0.0,
            "dynatemp_range": 0.0,
            "mirostat": 0,
            "presence_penalty": 0.0,
        },
    },
)


def dialect_of(software: str) -> Dialect:
    """Return the dialect of a server that calls itself so."""
    return _LLAMA if "llama" in software.lower() else Dialect()
