"""Keeps a machine without a network from waiting for the hub: what is cached is used at once."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

__all__ = ["expect_hub"]

_SECONDS = 3.0
_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def expect_hub() -> bool:
    """Look whether the hub can be reached, and switch its libraries to their caches where it cannot.

    Works only before `huggingface_hub` is imported, which reads its settings once; later, and behind a
    proxy, nothing is tried. The user's own HF_HUB_OFFLINE is left alone.

    Returns:
        Whether the hub may answer.
    """
    if "HF_HUB_OFFLINE" in os.environ or any(name in os.environ for name in _PROXIES):
        return True
    endpoint = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    port = endpoint.port or (80 if endpoint.scheme == "http" else 443)
    try:
        socket.create_connection((endpoint.hostname or "", port), timeout=_SECONDS).close()
    except OSError:
        os.environ["HF_HUB_OFFLINE"] = "1"
        return False
    return True
