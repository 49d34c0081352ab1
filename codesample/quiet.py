"""Keeps libraries from drawing bars while something is loaded; whoever wants them says so.

`HF_HUB_DISABLE_PROGRESS_BARS=0`, the libraries' own word for "always", asks for them.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["without_bars"]

_ASKED = "HF_HUB_DISABLE_PROGRESS_BARS"
_FALSE = frozenset({"0", "false", "off", "no"})

# callers that load at the same time, and what puts things back behind the last of them
_lock = threading.Lock()
_inside: list[object] = []
_restore: list[Callable[[], None]] = []


@contextmanager
def without_bars() -> Iterator[None]:
    """Draw no bars of transformers, huggingface_hub and datasets in here; then their settings are as before.

    Of those only that are imported already. Several threads may be in here.
    """
    if os.environ.get(_ASKED, "").strip().lower() in _FALSE:
        yield
        return
    me = object()
    with _lock:
        _inside.append(me)
        # what another one imports later is quietened by that one
        _restore.extend(_quieten())
    try:
        yield
    finally:
        with _lock:
            _inside.remove(me)
            if not _inside:
                while _restore:
                    _restore.pop()()


def _quieten() -> Iterator[Callable[[], None]]:
    """Turn off the bars that are on; yield what turns each on again."""
    # transformers turns those of the hub on and off with its own: last off, first on again
    hub: Any = sys.modules.get("huggingface_hub.utils")
    if hub is not None and not hub.are_progress_bars_disabled():
        hub.disable_progress_bars()
        yield hub.enable_progress_bars
    transformers: Any = sys.modules.get("transformers.utils.logging")
    if transformers is not None and transformers.is_progress_bar_enabled():
        hub_was_off = hub is not None and hub.are_progress_bars_disabled()
        transformers.disable_progress_bar()

        def restore() -> None:
            transformers.enable_progress_bar()
            if hub_was_off:
                hub.disable_progress_bars()

        yield restore
    datasets: Any = sys.modules.get("datasets.utils.tqdm") or sys.modules.get("datasets.utils")
    if datasets is not None and not datasets.are_progress_bars_disabled():
        datasets.disable_progress_bars()
        yield datasets.enable_progress_bars
