"""Short requests that are sent to learn what a server does; fields that it refuses are left out and noted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from codesample.records import Message, Prompt
from codesample.servers.answer import Answer, Choice, read_answer
from codesample.servers.body import PATHS, prompt_fields
from codesample.servers.refusals import RefusedError
from codesample.servers.transport import Session

__all__ = ["PROBE_TOKENS", "Asking", "probe_prompt"]

PROBE_TOKENS = 16
"""How long the answers of a probe are, in tokens."""

_MAY_BE_A_FIELD = {400, 422, 500}


def probe_prompt(api: str) -> Prompt:
    """Return a prompt that nobody would go on with in the same way twice."""
    if api == "chat":
        return (Message("user", "Write twenty random English words, one on each line, and nothing else."),)
    return '# twenty random English words\nWORDS = ["'


class Asking:
    """Asks one endpoint for a few tokens, in changing ways.

    Args:
        model: As the server knows it.
        api: "chat" or "completions".
    """

    def __init__(self, session: Session, model: str, api: str) -> None:
        self._session, self._path = session, PATHS[api]
        self.shared: dict[str, Any] = {"model": model, **prompt_fields(probe_prompt(api))}

    async def answer(self, fields: Mapping[str, Any], *, prompt: Prompt | None = None) -> Answer:
        """Return the answer to a request of these fields.

        Raises:
            RefusedError, ModelError: as `Session.post`.
        """
        own = {} if prompt is None else prompt_fields(prompt)
        return await self._session.post(
            self._path, {**self.shared, **own, **fields}, read_answer, trying=True
        )

    async def choice(self, fields: Mapping[str, Any], *, prompt: Prompt | None = None) -> Choice:
        """Return the first choice; raises as `answer`."""
        return (await self.answer(fields, prompt=prompt)).choices[0]

    async def is_taken(self, fields: Mapping[str, Any]) -> bool:
        """Whether the server answers to a request of these fields."""
        try:
            await self.answer(fields)
        except RefusedError as refusal:
            if refusal.status not in _MAY_BE_A_FIELD:
                raise
            return False
        return True

    async def accepted(
        self, needed: Mapping[str, Any], optional: Mapping[str, Mapping[str, Any]]
    ) -> tuple[Answer, dict[str, RefusedError]]:
        """Find out which optional fields the server refuses, and return its answer to all others.

        Args:
            needed: Fields without which there is no request.
            optional: By name, fields that stand or fall together.

        Returns: the answer, and what was refused with the server's words.

        Raises:
            RefusedError: it refuses the needed ones.
        """
        refused: dict[str, RefusedError] = {}
        while True:
            left = {name: fields for name, fields in optional.items() if name not in refused}
            try:
                return await self.answer({**needed, **_merged(left.values())}), refused
            except RefusedError as refusal:
                if refusal.status not in _MAY_BE_A_FIELD or not left:
                    raise
                blamed = [name for name, fields in left.items() if refusal.names(fields)]
                blamed = blamed or await self._culprits(needed, left)
                if not blamed:
                    # each alone is taken; together they are not
                    blamed = [next(reversed(left))]
                refused |= dict.fromkeys(blamed, refusal)

    async def _culprits(
        self, needed: Mapping[str, Any], optional: Mapping[str, Mapping[str, Any]]
    ) -> list[str]:
        """Return which of some fields are refused when each is sent alone."""
        await self.answer(needed)
        return [name for name, fields in optional.items() if not await self.is_taken({**needed, **fields})]


def _merged(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}
