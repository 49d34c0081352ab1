"""Where a server is and what opens it: a URL without secrets, and a key that stays in the environment."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from codesample.engines.model_options import expect_plain_url
from codesample.errors import ParameterError

__all__ = ["DEFAULT_KEY", "Address", "address_of"]

DEFAULT_KEY = "OPENAI_API_KEY"
_URL = "OPENAI_BASE_URL"


@dataclass(frozen=True, slots=True)
class Address:
    """A server.

    Attributes:
        url: What the endpoints' paths follow, without a slash at its end; shown and recorded.
        key: What opens it, or None; never shown.
    """

    url: str
    key: str | None = field(default=None, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine, so that no proxy leads to it."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    def without_key(self, text: str) -> str:
        """Return a text with the key blotted out, for what a server or a library says."""
        return text.replace(self.key, "***") if self.key else text


def address_of(base_url: str | None, api_key_env: str | None) -> Address:
    """Find a server and its key.

    Args:
        base_url: None takes that of OPENAI_BASE_URL.
        api_key_env: Environment variable that holds the key; None takes OPENAI_API_KEY where it is set.

    Raises:
        ParameterError: there is no URL, it is none, or the variable is not set or holds no key.
    """
    url = base_url or os.environ.get(_URL, "")
    if not url:
        raise ParameterError(
            f"base_url: a server's model needs its address: --base-url http://localhost:8000/v1, or {_URL} "
            "in the environment"
        )
    expect_plain_url(url, name="base_url" if base_url else _URL)
    url = url.rstrip("/")
    # every server has its endpoints there, and the name of the machine alone is easily given
    return Address(url if urlsplit(url).path else f"{url}/v1", _key(api_key_env))


def _key(name: str | None) -> str | None:
    key = os.environ.get(name or DEFAULT_KEY, "").strip()
    if name and not key:
        raise ParameterError(
            f"api_key_env = {name!r}: no such environment variable is set; expected the name of the one that "
            "holds the key, not the key"
            if name.isupper()
            # whoever gives the key in its place must not see it in a log
            else "api_key_env: expected the name of an environment variable that holds the key, not the key"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ParameterError(
            f"{name or DEFAULT_KEY}: its value cannot be sent as a key: expected printable ASCII, no spaces"
        )
    return key or None
