"""Keeps a machine without a network from waiting for the hub: what is cached is used at once."""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from codesample.errors import HubUnavailableError, ModelError

__all__ = ["expect_hub", "expect_on_hub", "is_offline"]

_SECONDS = 3.0
_ON = ("1", "ON", "TRUE", "YES")
_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def expect_hub() -> None:
    """Set HF_HUB_OFFLINE for the rest of this process if the hub does not answer within three seconds.

    Its libraries then use their caches. Nothing is tried behind a proxy, where the user has set
    HF_HUB_OFFLINE, and once `huggingface_hub` is imported, which reads its settings then and never again.
    """
    if "HF_HUB_OFFLINE" not in os.environ and "huggingface_hub" not in sys.modules and _is_out_of_reach():
        os.environ["HF_HUB_OFFLINE"] = "1"


def expect_on_hub(name: str) -> None:
    """Refuse a checkpoint of which nothing is cached here and that is not on the hub, as far as that says so.

    Raises:
        HubUnavailableError: it is not cached, and the hub cannot be reached.
        ModelError: the hub has none of that name.
    """
    expect_hub()
    from huggingface_hub import constants, model_info
    from huggingface_hub.errors import RepositoryNotFoundError

    # of any revision: a GGUF file or an adapter comes without a configuration
    cached = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "snapshots"
    if any(cached.glob("*/*")):
        return
    # once it is imported its setting stays, and it would try for a minute
    if constants.HF_HUB_OFFLINE or _is_out_of_reach():
        raise HubUnavailableError(
            f"model {name!r} is neither a folder here nor cached, and the hub cannot be reached; download it "
            "where there is a network, or give its folder"
        )
    try:
        model_info(name, timeout=_SECONDS)
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"model {name!r} is neither a folder here nor on the hub, as far as you may see"
        ) from error
    except Exception:
        # whoever loads it will be told, by whoever knows more
        return


def is_offline() -> bool:
    """Whether the hub's libraries use their caches alone, by a setting of the user or of `expect_hub`."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in _ON


def _is_out_of_reach() -> bool:
    """Whether the hub does not answer; behind a proxy nobody knows."""
    if any(name in os.environ for name in _PROXIES):
        return False
    endpoint = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    port = endpoint.port or (80 if endpoint.scheme == "http" else 443)
    return not _answers((endpoint.hostname or "", port))


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
