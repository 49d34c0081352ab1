"""Learns what a server does before anything is drawn, by a dozen requests of a few tokens."""

from __future__ import annotations

from contextlib import suppress

from codesample.errors import ModelError
from codesample.servers.asking import Asking
from codesample.servers.refusals import BrokenAnswerError, RefusedError
from codesample.servers.server_facts import ServerFacts
from codesample.servers.transport import Session
from codesample.servers.trials import tried

__all__ = ["probe"]


async def probe(session: Session, model: str, api: str) -> ServerFacts:
    """Ask a server by the endpoint that was said, or by the first that answers, and see what it does.

    Args:
        api: "chat", "completions" or "auto".

    Raises:
        ModelError: it does not answer, or not to this; says what it said.
    """
    software, listed = await _introduced(session)
    complaints: list[str] = []
    for each in ("chat", "completions") if api == "auto" else (api,):
        try:
            return await tried(Asking(session, model, each), each, software)
        except RefusedError as refusal:
            complaints.append(f"{each}: {refusal}")
            if refusal.status in (401, 403):
                break
        except ModelError as error:
            complaints.append(f"{each}: {error}")
            break
    raise ModelError(
        f"model {model!r} cannot be asked: {'; '.join(complaints)}{_advice(complaints, model, listed)}"
    )


def _advice(complaints: list[str], model: str, listed: list[str]) -> str:
    said = complaints[-1]
    if "HTTP 401" in said or "HTTP 403" in said:
        return "; the key is taken from OPENAI_API_KEY, or from the variable that --api-key-env names"
    if listed and model not in listed:
        return f"; the server has {', '.join(listed[:8])}"
    return "; is this the server's address, with /v1 at its end?" if "HTTP 404" in said else ""


async def _introduced(session: Session) -> tuple[str, list[str]]:
    """Return what a server calls itself, and which models it lists; some say neither."""
    with suppress(RefusedError, BrokenAnswerError):
        content = await session.get("models")
        given = content.get("data")
        models = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
        owners = {str(each["owned_by"]) for each in models if each.get("owned_by")}
        return owners.pop() if len(owners) == 1 else "", [str(each.get("id")) for each in models]
    return "", []
