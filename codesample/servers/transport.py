"""One server over HTTP: sends requests, waits as the server asks, and sends again what may yet succeed."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from codesample.errors import ModelError, ParameterError
from codesample.servers.address import Address
from codesample.servers.refusals import BrokenAnswerError, RefusedError, refusal_from

if TYPE_CHECKING:
    import httpx2

__all__ = ["Patience", "Session", "Transport"]

_T = TypeVar("_T")

_PASSING = {408, 409, 425, 429}
# statuses of the fives that say that the server will never do it
_LASTING = {501, 505}
# how often a server is asked again that fails where it is only tried
_TRIED = 2
# words of a 429 that no waiting mends
_SPENT = ("insufficient_quota", "billing")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        timeout: For one answer, in seconds.
        retries: How often a request is sent again.
        first, longest: Waits before the first and the last times that it is sent again, in seconds; doubled
            in between, each by a random factor of 0.5 to 1.5.
        longest_asked: Longest wait that a server may ask for, in seconds.
    """

    timeout: float = 600.0
    retries: int = 8
    first: float = 0.5
    longest: float = 60.0
    longest_asked: float = 600.0

    def wait(self, tries: int) -> float:
        """Return how long to wait before a request is sent again that was sent `tries` times."""
        return min(self.longest, self.first * 2.0 ** min(tries - 1, 32)) * random.uniform(0.5, 1.5)


@dataclass(slots=True)
class Transport:
    """Opens sessions with one server.

    Attributes:
        address, patience: Which one, and how long it is waited for.
        sent: How many requests were sent so far.
    """

    address: Address
    patience: Patience
    sent: int = 0

    @asynccontextmanager
    async def session(self, *, at_once: int) -> AsyncIterator[Session]:
        """Open connections, for use in the running event loop."""
        http = _library()
        key = self.address.key
        async with http.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=http.Timeout(None, connect=30.0),
            limits=http.Limits(max_connections=at_once, max_keepalive_connections=at_once),
            trust_env=not self.address.is_local,
            # reading the authorities takes long, and nothing is checked without TLS
            verify=self.address.url.startswith("https"),
        ) as client:
            yield Session(self, client)


def _library() -> Any:
    try:
        import httpx2
    except ImportError as error:
        raise ParameterError(
            "openai: asking a server needs the package 'httpx2': pip install 'codesample[servers]'"
        ) from error
    return httpx2


class Session:
    """Connections to a server, shared by the requests under way."""

    def __init__(self, transport: Transport, client: httpx2.AsyncClient) -> None:
        self._transport, self._client, self._patience = transport, client, transport.patience
        # when the server will hear of anything again, by the loop's clock
        self._quiet_until = 0.0

    async def get(self, path: str) -> dict[str, Any]:
        """Ask once; raises as `post`."""
        return await self._once("GET", path, None)

    async def post(
        self, path: str, body: dict[str, Any], read: Callable[[dict[str, Any]], _T], *, trying: bool = False
    ) -> _T:
        """Send a request until it is answered, and return what is read of the answer.

        Args:
            read: Raises `BrokenAnswerError` for an answer that is not whole.
            trying: Whether the request is only to see what the server does: one that fails may be one that it
                cannot do, and is a refusal after a few times.

        Raises:
            RefusedError: the server will not do it.
            ModelError: it could not be had, however often it was asked.
        """
        tries = 0
        while True:
            await self._quiet()
            tries += 1
            try:
                return read(await self._once("POST", path, body))
            except BrokenAnswerError as error:
                failed = error.status >= 500
                brief = trying and (failed or not error.status)
                if tries > (min(self._patience.retries, _TRIED) if brief else self._patience.retries):
                    if trying and failed:
                        raise RefusedError(error.status, error.said, error.field) from error
                    raise ModelError(self._gone(path, tries, error)) from error
            await self._pause(self._patience.wait(tries))

    async def _once(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        import httpx2

        self._transport.sent += 1
        url = f"{self._transport.address.url}/{path}"
        try:
            async with asyncio.timeout(self._patience.timeout):
                answer = await self._client.request(method, url, json=body)
        except TimeoutError:
            raise BrokenAnswerError(f"no answer within {self._patience.timeout:g} s") from None
        except OSError as error:
            raise BrokenAnswerError(str(error)) from None
        except httpx2.InvalidURL as error:
            raise ModelError(f"{url}: {error}") from error
        except httpx2.HTTPError as error:
            # the library's own words may hold headers
            words = self._transport.address.without_key(str(error)) or type(error).__name__
            raise BrokenAnswerError(words) from None
        text = self._transport.address.without_key(answer.text)
        if answer.is_success:
            return _whole(text)
        await self._refuse(answer, text)
        raise AssertionError

    async def _refuse(self, answer: httpx2.Response, text: str) -> None:
        """Raise what an answer of no success says; waits first where the server says how long."""
        status, refusal = answer.status_code, refusal_from(answer.status_code, text)
        if answer.is_redirect:
            # a key goes to nobody but whom it was given for
            where = self._transport.address.without_key(answer.headers.get("location", "?"))
            raise RefusedError(status, f"it is said to be at {where}; name that address as base_url")
        passing = status in _PASSING or (status >= 500 and status not in _LASTING)
        if not passing or (status == 429 and any(word in text for word in _SPENT)):
            raise refusal
        asked = _asked_wait(answer.headers)
        if asked > self._patience.longest_asked:
            raise RefusedError(status, f"{refusal.message} (asks to wait {asked:.0f} s)", refusal.field)
        if asked:
            await self._hold(asked)
        raise BrokenAnswerError(str(refusal), status, refusal.message, refusal.field)

    async def _hold(self, seconds: float) -> None:
        """Keep every request of the session back for a while."""
        self._quiet_until = max(self._quiet_until, asyncio.get_running_loop().time() + seconds)

    async def _quiet(self) -> None:
        while (left := self._quiet_until - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(left)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _gone(self, path: str, tries: int, error: BaseException) -> str:
        times = "once" if tries == 1 else f"{tries} times"
        return (
            f"{self._transport.address.url}/{path}: asked {times}, the last time: {error}; "
            "is the server up, and is this its address?"
        )


def _whole(text: str) -> dict[str, Any]:
    """Return an answer's content; one that was cut short is none."""
    try:
        content = json.loads(text)
    except ValueError:
        raise BrokenAnswerError(f"the answer is no JSON, or was cut short: {text[:80]!r}") from None
    if not isinstance(content, dict):
        raise BrokenAnswerError(f"the answer is no JSON object: {text[:80]!r}")
    if isinstance(content.get("error"), dict) and "choices" not in content:
        refusal = refusal_from(200, text)
        code = content["error"].get("code")
        if isinstance(code, int) and 400 <= code < 500 and code not in _PASSING:
            raise RefusedError(code, refusal.message, refusal.field)
        raise BrokenAnswerError(refusal.message)
    return content


def _asked_wait(headers: Any) -> float:
    """Return how long a server asks to be left alone, in seconds; 0 where it does not say."""
    said = headers.get("retry-after", "")
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(said)
    except ValueError:
        return 0.0
    return max(0.0, (when - datetime.now(UTC)).total_seconds()) if when.tzinfo else 0.0
