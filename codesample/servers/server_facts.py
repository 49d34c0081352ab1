"""What a server was seen to do with what it was asked; a run records it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from codesample.engines.contract import Reproducibility
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["ServerFacts"]


@validated
@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server does, seen in short requests before anything is drawn.

    Attributes:
        api: "chat" or "completions": which of its endpoints is asked.
        software: What it calls itself, as far as it does.
        limit_field: The field that limits tokens.
        limit: What becomes of it: "honoured", "ignored" or "unclear".
        choices: What becomes of `n`: "honoured", "equal" (choices repeat one another), "ignored", "refused".
        logprobs: "raw" (the model's own), "processed" (of the distribution drawn from), "unclear", "ignored"
            or "refused".
        logprob_fields: The fields that ask for them.
        token_ids: Whether tokens come with their numbers.
        token_id_fields: The fields that ask for those.
        spelling: The server's own names of options, by ours.
        extras: Further fields that requests carry, such as those that turn off what only this server has.
        seed: "honoured", "alone" (only while no other request is under way), "ignored" or "refused".
        seed_bits: How large a seed may be.
        temperature: "honoured", "greedy" (one text, whatever it is), "sampled" (0 draws, too), "refused", or
            "unclear".
        stop: "trimmed", "kept" (it ends the text, and is part of it), "ignored", "refused" or "unclear".
        names_stops: Whether a stop is told from the model's own end.
        unknown_fields: "refused" or "ignored".
        neutral: Of each option that a server may have defaults of its own for, the value that turns it off,
            for as many of them as it takes.
        usage: Whether it says how many tokens an answer took.
        requests: How many were sent to learn all this.
    """

    api: str
    software: str = ""
    limit_field: str = "max_tokens"
    limit: str = "unclear"
    choices: str = "ignored"
    logprobs: str = "ignored"
    logprob_fields: Mapping[str, Any] = field(default_factory=dict)
    token_ids: bool = False
    seed: str = "ignored"
    seed_bits: int = 63
    temperature: str = "unclear"
    stop: str = "unclear"
    names_stops: bool = False
    unknown_fields: str = "ignored"
    neutral: Mapping[str, Any] = field(default_factory=dict)
    token_id_fields: Mapping[str, Any] = field(default_factory=dict)
    spelling: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, Any] = field(default_factory=dict)
    usage: bool = False
    requests: int = 0

    __repr__ = one_line

    def spelt(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields by the names that the server knows."""
        return {self.spelling.get(name, name): value for name, value in fields.items()}

    @property
    def gives_logprobs(self) -> bool:
        """Whether answers carry log-probabilities of which it is known what they are of."""
        return self.logprobs in ("raw", "processed")

    @property
    def abilities(self) -> frozenset[str]:
        """See `codesample.engines.contract.Engine`."""
        found = {"logprobs"} if self.logprobs == "raw" else set()
        return frozenset(found | ({"chat"} if self.api == "chat" else set()))

    def reproducibility(self, *, max_requests: int, choices_per_request: int) -> Reproducibility:
        """Say how far candidates repeat that are asked for so."""
        if self.seed == "honoured" and choices_per_request == 1:
            return Reproducibility.EXACT
        # a request that was given up may still be under way there, and draw from the one stream
        alone = self.seed == "alone" and max_requests == 1
        return Reproducibility.SEEDED if alone or self.seed == "honoured" else Reproducibility.NONE

    def after(self, requests: int) -> ServerFacts:
        """Return these facts with how many requests they took."""
        return replace(self, requests=requests)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)
