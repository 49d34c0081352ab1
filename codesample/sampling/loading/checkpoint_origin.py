"""Where a checkpoint comes from: as the caller named it, and as transformers is asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["AdapterOrigin", "CheckpointOrigin"]


@dataclass(frozen=True, slots=True)
class AdapterOrigin:
    """A PEFT adapter by name and place.

    Attributes:
        name: As the caller gave it.
        source: The folder or hub id that the name means.
        revision: Branch, tag or commit of a hub id.
        inside: Whether it lies in the folder of the very model that it adapts.
    """

    name: str
    source: str
    revision: str | None = None
    inside: bool = False


@dataclass(frozen=True, slots=True)
class CheckpointOrigin:
    """A checkpoint by name and place.

    Attributes:
        name: As the caller gave it.
        source: The folder or hub id that the name means.
        revision: Branch, tag or commit of a hub id.
        trusted: Whether code that it brings may be run.
        gguf_file: The file in it that holds settings, weights and tokenizer, of a GGUF.
        adapter: What is put on the model.
    """

    name: str
    source: str
    revision: str | None = None
    trusted: bool = False
    gguf_file: str | None = None
    adapter: AdapterOrigin | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What every `from_pretrained` is given.

        Without an answer to the question whether to trust, transformers asks on standard input.
        """
        found = {"revision": self.revision, "trust_remote_code": self.trusted}
        return found if self.gguf_file is None else found | {"gguf_file": self.gguf_file}
