"""Keeps a machine without a network from waiting for the hub: what is cached is used at once."""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import suppress
from urllib.parse import urlsplit

__all__ = ["expect_hub"]

_SECONDS = 3.0
_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def expect_hub() -> None:
    """Set HF_HUB_OFFLINE for the rest of this process if the hub does not answer within three seconds.

    Its libraries then use their caches. Nothing is tried behind a proxy, where the user has set
    HF_HUB_OFFLINE, and once `huggingface_hub` is imported, which reads its settings then and never again.
    """
    settled = "HF_HUB_OFFLINE" in os.environ or "huggingface_hub" in sys.modules
    if settled or any(name in os.environ for name in _PROXIES):
        return
    endpoint = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    port = endpoint.port or (80 if endpoint.scheme == "http" else 443)
    if not _answers((endpoint.hostname or "", port)):
        os.environ["HF_HUB_OFFLINE"] = "1"


def _answers(address: tuple[str, int]) -> bool:
    answered = threading.Event()

    def knock() -> None:
        with suppress(OSError):
            socket.create_connection(address, timeout=_SECONDS).close()
            answered.set()

    # a name server that is silent keeps its caller waiting, whatever the time limit of the socket
    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return answered.is_set()
