"""What a child answers does not depend on what its zygote rehearsed."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from codesample.execution.child import server
from codesample.records import Verdict

Judge = Callable[..., Verdict]


def test_rehearsal_answers_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    replies: list[bytes] = []
    monkeypatch.setattr(server._Nobody, "sendall", lambda self, message: replies.append(message[4:]))
    state = random.getstate()
    server.rehearse()
    random.setstate(state)
    first = replies[: len(server._REHEARSED)]
    assert len(replies) % len(first) == 0
    assert [reply.partition(b"[")[2].partition(b",")[0] for reply in first] == [
        *[b'"value"'] * 3,
        b'"with"',
    ], "none fails"


def test_no_program_sees_what_was_rehearsed(judge: Judge) -> None:
    source = """
import gc, random, sys
STATE = random.getstate()
random.seed(0)
def f(x):
    left = [each for each in gc.get_objects() if getattr(each, "__module__", None) == "rehearsed"]
    seeded = STATE == random.getstate()
    return x * x if seeded and not left and "rehearsed" not in sys.modules else None
"""
    assert judge(source).passed
