"""How keys of shared prompts are read, written down: one choice per axis, as a record and as text.

    quest(keep=0.2, refresh=8)          what stands alone is the prefix policy
    prefix=quest(keep=0.2), hosts=1     every axis by its name, in brackets what its choice takes

Whatever has other characters, an axis twice or a value that is not built is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from codesample.errors import ParameterError
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["AXES", "EXACT", "Parameters", "Policy", "PolicyValue"]

PolicyValue = bool | int | float | str
"""What a parameter of a policy can be."""

Parameters = tuple[tuple[str, PolicyValue], ...]
"""(name, value) pairs, sorted by name."""

EXACT = "exact"
"""The prefix policy that reads every key."""

AXES: dict[str, tuple[str, ...]] = {
    "prefill": ("full", "criti", "star", "ring", "cascade"),
    "decode_cache": ("full", "cascade"),
    "schedule": ("auto", "stream-k", "fixed"),
    "storage": ("full", "int8", "fp8"),
}
"""What is built of each axis besides the prefix policies, which are found by entry point; defaults first.

What each takes in brackets, and what it does, is in `codesample.policies.axes`.
"""

_MOST_CHARACTERS = 1000
# above that float64 does not hold all whole numbers
_MOST = 1 << 53
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_TOKEN = re.compile(
    r"""[ \t]*(?:
    (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![A-Za-z0-9_.]))
    |(?P<word>[A-Za-z][A-Za-z0-9_.-]*)
    |(?P<sign>[(),=])
    |(?P<end>\Z)
    )""",
    re.VERBOSE | re.ASCII,
)
_TRUTH = {"true": True, "false": False}


@validated
@dataclass(frozen=True, slots=True)
class Policy:
    """Which keys are computed, stored and read; the axes are independent of one another.

    Attributes:
        prefix: Which keys of a stored prompt decode steps read: "exact", or a name of
            `codesample list policies`.
        parameters: (name, value) pairs for it, sorted by name; see `docs/policies.md`.
        prefill: How prompts are run: "full", "criti" or "star", whose tokens leave keys out, "ring", by
            several processes, or "cascade", which keeps a bounded number of tokens.
        decode_cache: What is kept of a row's own tokens: "full", or "cascade", a bounded number.
        schedule: How a step's attention is divided: "auto", as its implementation does.
        storage: How stored prompts are held: "full", in the model's dtype, or in 8 bits, "int8" or "fp8".
        hosts: Over how many processes a prompt's keys are spread, at least 1.
        prefill_parameters, decode_cache_parameters, schedule_parameters, storage_parameters: As `parameters`,
            for those; what is "full" or "auto" takes none.

    Raises:
        ParameterError: a name or a parameter that cannot be written, a parameter twice, or a value of
            another axis that is not built.
    """

    prefix: str = EXACT
    parameters: Parameters = ()
    prefill: str = "full"
    decode_cache: str = "full"
    schedule: str = "auto"
    hosts: int = 1
    prefill_parameters: Parameters = ()
    decode_cache_parameters: Parameters = ()
    schedule_parameters: Parameters = ()
    storage: str = "full"
    storage_parameters: Parameters = ()

    __repr__ = one_line

    def __post_init__(self) -> None:
        for axis in ("prefix", *AXES):
            name, parameters = self.chosen(axis)
            _expect_writable(name, parameters)
            ordered = tuple(sorted(parameters, key=lambda pair: pair[0]))
            object.__setattr__(self, _place_of_parameters(axis), ordered)
            built = AXES.get(axis, (name,))
            if name not in built:
                raise _not_built(axis, name, built)
            if parameters and axis != "prefix" and name == built[0]:
                raise ParameterError(f"policy: {axis} = {name!r} takes no parameters, got {parameters[0][0]}")
        if self.hosts < 1:
            raise ParameterError(f"policy: hosts = {self.hosts}: expected a number of processes, at least 1")

    def chosen(self, axis: str) -> tuple[str, Parameters]:
        """Return what an axis is set to, and the parameters that are given for it.

        Args:
            axis: "prefix" or one of `AXES`.
        """
        return getattr(self, axis), getattr(self, _place_of_parameters(axis))

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Read what `str` writes; `Policy.parse(str(policy)) == policy`.

        Raises:
            ParameterError: not of that form; shows the place and says what was expected there.
        """
        return _Reader(text).policy()

    @property
    def is_exact(self) -> bool:
        """Whether every key is computed, stored and read."""
        return self == Policy()

    def __str__(self) -> str:
        others = [
            f"{axis}={_spelt(*self.chosen(axis))}" for axis in AXES if self.chosen(axis)[0] != AXES[axis][0]
        ]
        hosts = [f"hosts={self.hosts}"] if self.hosts != 1 else []
        return ", ".join([_spelt(*self.chosen("prefix")), *others, *hosts])


class _Token(NamedTuple):
    kind: str
    text: str
    begin: int


class _Reader:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        if len(text) > _MOST_CHARACTERS:
            raise ParameterError(f"a policy of {len(text)} characters; expected {_MOST_CHARACTERS} at most")
        self._text, self._at = text, 0
        self._next = self._scan()

    def policy(self) -> Policy:
        chosen: dict[str, Any] = {}
        while True:
            token = self._take("word", "a policy, such as quest(keep=0.2)")
            axis = token.text
            named = self._took("=")
            if named and axis not in ("prefix", *AXES, "hosts"):
                axes = ", ".join(("prefix", *AXES, "hosts"))
                raise self._error(token, f"expected one of the axes {axes}")
            if not named:
                if chosen:
                    raise self._error(token, "expected AXIS=VALUE; the prefix policy stands first")
                axis = "prefix"
            if axis in chosen:
                raise self._error(token, f"expected {axis} once")
            if axis == "hosts":
                chosen[axis] = self._value()
            else:
                name = self._take("word", "a policy") if named else token
                chosen |= {axis: name.text, _place_of_parameters(axis): self._parameters()}
            if self._next.kind == "end":
                return Policy(**chosen)
            if not self._took(","):
                raise self._error(self._next, "expected a comma or the end")

    def _parameters(self) -> Parameters:
        if not self._took("("):
            return ()
        given: dict[str, PolicyValue] = {}
        while not self._took(")"):
            if given and not self._took(","):
                raise self._error(self._next, "expected a comma or a closing bracket")
            token = self._take("word", "the name of a parameter")
            if token.text in given:
                raise self._error(token, f"expected {token.text} once")
            if not self._took("="):
                raise self._error(self._next, f"expected = behind {token.text}")
            given[token.text] = self._value()
        return tuple(given.items())

    def _value(self) -> PolicyValue:
        token = self._next
        if token.kind not in ("number", "word"):
            raise self._error(token, "expected a number, true, false or a word")
        self._scan_on()
        if token.kind == "word":
            return _TRUTH.get(token.text.lower(), token.text)
        if token.text.lstrip("+-").isdecimal():
            return int(token.text)
        number = float(token.text)
        if not math.isfinite(number):
            raise self._error(token, "expected a finite number")
        return number

    def _take(self, kind: str, what: str) -> _Token:
        token = self._next
        if token.kind != kind:
            raise self._error(token, f"expected {what}")
        self._scan_on()
        return token

    def _took(self, sign: str) -> bool:
        found = self._next.kind == "sign" and self._next.text == sign
        if found:
            self._scan_on()
        return found

    def _scan_on(self) -> None:
        self._next = self._scan()

    def _scan(self) -> _Token:
        found = _TOKEN.match(self._text, self._at)
        if found is None or found.lastgroup is None:
            begin = len(self._text) - len(self._text[self._at :].lstrip(" \t"))
            raise self._error(
                _Token("other", self._text[begin], begin), "expected a name, a number or ( ) , ="
            )
        self._at = found.end()
        return _Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup))

    def _error(self, token: _Token, complaint: str) -> ParameterError:
        got = "the end" if token.kind == "end" else repr(token.text)
        shown = re.sub(r"\s", " ", self._text)
        return ParameterError(
            f"policy {self._text!r}: {complaint}, got {got}\n  {shown}\n  {' ' * token.begin}^"
        )


def _place_of_parameters(axis: str) -> str:
    return "parameters" if axis == "prefix" else f"{axis}_parameters"


def _expect_writable(policy: str, parameters: Parameters) -> None:
    names = [name for name, _ in parameters]
    for name in (policy, *names):
        if not _NAME.fullmatch(name):
            raise ParameterError(
                f"policy: {name!r} is no name; expected letters, digits, '_', '-' and '.', a letter first"
            )
    for name, value in parameters:
        if isinstance(value, float) and not math.isfinite(value):
            raise ParameterError(f"policy {policy!r}: {name} = {value}: expected a finite number")
        if isinstance(value, int) and abs(value) > _MOST:
            raise ParameterError(f"policy {policy!r}: {name} = {value}: expected at most 2^53")
        if isinstance(value, str) and (not _NAME.fullmatch(value) or value.lower() in _TRUTH):
            raise ParameterError(f"policy {policy!r}: {name} = {value!r}: expected a plain word")
    if len(set(names)) < len(names):
        raise ParameterError(f"policy {policy!r}: a parameter is given twice: {', '.join(names)}")


def _not_built(axis: str, value: object, built: Iterable[object]) -> ParameterError:
    known = " or ".join(map(repr, built))
    return ParameterError(f"policy: {axis} = {value!r} is not built; expected {known}")


def _spelt(name: str, parameters: Parameters) -> str:
    given = ", ".join(f"{each}={_written(value)}" for each, value in parameters)
    return name + (f"({given})" if given else "")


def _written(value: PolicyValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
