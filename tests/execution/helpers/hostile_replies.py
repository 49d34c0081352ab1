"""Messages that a hostile program might send, and an exchange with a program that sends given ones."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from codesample.execution.wire import library_values
from codesample.execution.worker.exchange import ProgramStopped
from codesample.execution.worker.spawner import Usage
from codesample.records import Status


class ScriptedExchange:
    """Answers requests with given messages, one after another, and then has crashed."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)
        self.ended: BaseException | None = None

    def send(self, request: bytes, *, answered: bool = True) -> None:
        if self.ended is not None:
            raise self.ended

    def receive(self, *, numbered: bool = True) -> bytes:
        if not self.replies:
            self.stop(Status.CRASHED, "no more replies")
        return self.replies.pop(0)

    def ask(self, request: bytes) -> bytes:
        self.send(request)
        return self.receive()

    def stop(self, status: Status, detail: str) -> None:
        self.ended = ProgramStopped(status, detail)
        raise self.ended

    def curb(self, cpu_seconds: float) -> None:
        pass

    def step(self) -> None:
        pass

    def renew(self, cpu_seconds: float) -> None:
        pass

    def close(self) -> Usage:
        return Usage(0, 0.0, 0)


WORDS = ["value", "raise", "refused", "large", "SystemExit", "StopIteration", "UnicodeDecodeError", "eval"]
STRANGE = [
    '{"i":"' + "f" * 5_000 + '"}',
    '{"i":"-' + "f" * 5_000 + '"}',
    "1e308",
    "NaN",
    '{"c":[1e308,1e308]}',
    '{"h":[0,"\\u001b[2J"]}',
    '{"d":[[{"h":[1,"Key"]},{"h":[1,"Key"]}]]}',
    '{"s":[{"h":[4,"Key"]}]}',
    "[" * 400 + "]" * 400,
    '{"t":[' * 200 + "]}" * 200,
    '{"n":"int"}',
    '"\\ud800"',
]


PLAIN = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=3)
TAGGED = st.recursive(
    PLAIN | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("tsfdbacinhvoek"), inner, max_size=1)
    ),
    max_leaves=10,
).map(json.dumps)
NUMBERS = st.sampled_from(["0", "1", "2", "7", "-1", "true", '"1"', "9" * 30])
PLAIN_JSON = st.sampled_from(
    ["1", "5", '"text"', "[]", "[1,2]", '{"d":[[1,2]]}', '{"s":[1]}', '{"t":[1]}', "null"]
)
LIBRARY = st.builds(
    '{{"v":["{}",{}]}}'.format, st.sampled_from(sorted(library_values.NAMES)), PLAIN_JSON | TAGGED
)
PROTOCOL_NAMES = [
    " ",
    "call",
    "len iter next",
    "eq ne lt hash contains",
    "getitem str repr",
    "append pop mro",
]
HANDLES = st.builds(
    '{{"h":[{},{},"{}"{}]}}'.format,
    NUMBERS,
    st.sampled_from(['"A"', '"builtins:function"', '"builtins:int"', "1", '"\\u0000"']),
    st.sampled_from(PROTOCOL_NAMES),
    st.just("") | (PLAIN_JSON | LIBRARY).map(",{}".format),
)
SHARED = st.builds('{{"o":[{}{}]}}'.format, NUMBERS, st.just("") | PLAIN_JSON.map(",{}".format))
CLASSES = [
    "ValueError",
    "ImportError",
    "KeyError",
    "SyntaxError",
    "OSError",
    "StopIteration",
    "ExceptionGroup",
]
RAISED = st.builds(
    '{{"e":[["builtins.{}"],{},[{}],{},[[{},{}]],null,{},false]}}'.format,
    st.sampled_from([*CLASSES, "SystemExit", "eval"]),
    st.sampled_from(["null", '["A","m",5,null]', '["A","m",5,"text"]', "[]"]),
    PLAIN_JSON | HANDLES,
    st.sampled_from(["null", '"text"', "1"]),
    st.sampled_from(['"name"', '"__dict__"', '"_codesample_id"', '"args"', "1"]),
    PLAIN_JSON | HANDLES,
    st.sampled_from(["null", "1", '[["builtins.ValueError"],null,[],null,[],null,null,false]']),
)
VALUES = st.sampled_from(STRANGE) | TAGGED | LIBRARY | HANDLES | SHARED | RAISED
KINDS = st.sampled_from(["value", "raise", "refused", "large"])
CORES = st.one_of(
    VALUES.map('["value",{}]'.format),
    st.builds(
        '["raise",{},{}]'.format, RAISED, st.sampled_from(['"line 1"', '{"h":[5,"K","str","text"]}', "1"])
    ),
    st.builds('["{}",{}]'.format, KINDS, VALUES),
    st.builds('["value",{{"t":[[{}],{},{}]}}]'.format, VALUES, st.sampled_from(["true", "false"]), VALUES),
)
CHANGES = st.builds("[{},{}]".format, NUMBERS, PLAIN_JSON | HANDLES)
REPLIES = st.one_of(
    TAGGED,
    CORES,
    st.tuples(KINDS, TAGGED, TAGGED, TAGGED).map(lambda parts: '["{}",{},{},{}]'.format(*parts)),
    st.lists(VALUES.map('["value",{}]'.format), min_size=1, max_size=3).map(
        lambda replies: f"[{','.join(replies)}]"
    ),
    st.builds(
        '["with",{{"k":[{}]}},{},[{}],{}]'.format,
        st.lists(NUMBERS, max_size=2).map(",".join),
        CORES,
        st.lists(CHANGES, max_size=2).map(",".join),
        st.sampled_from(["[]", '["out","err"]', '[{"h":[5,"K","str","text"]},""]', "null"]),
    ),
)


@st.composite
def hostile_reply(draw: st.DrawFn) -> bytes:
    return draw(st.binary(max_size=60) | REPLIES.map(str.encode))
