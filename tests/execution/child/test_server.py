"""What a child answers does not depend on what its zygote rehearsed."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from codesample.execution.child import server
from codesample.records import CodeTests, Status, Verdict

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


@pytest.mark.parametrize("grow", ["xs.append(xs)", "xs.append(1 << (1 << 26))"])
def test_an_argument_that_cannot_cross_back_ends_no_process(judge: Judge, grow: str) -> None:
    source = f"def f(xs):\n    {grow}\n    raise ValueError"
    tests = "xs = [1]\ntry:\n    f(xs)\nexcept ValueError:\n    pass\nassert len(xs) == 2"
    assert judge(source, CodeTests(source=tests)).status is Status.UNSUPPORTED_VALUE


def test_a_class_that_cannot_be_read_ends_no_process(judge: Judge) -> None:
    source = """
class Meta(type):
    @property
    def __module__(cls):
        raise ValueError
class Refused(Exception, metaclass=Meta):
    pass
def f():
    raise Refused
"""
    tests = "try:\n    f()\nexcept Exception:\n    pass"
    assert judge(source, CodeTests(source=tests)).status is Status.UNSUPPORTED_VALUE
