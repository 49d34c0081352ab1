"""How rerankers are written down: names, parameters, and what is made of them; text to a tree and back.

    chain     a > b, or a,b        order by a, its ties by b
    filter    a | b                keep what reaches a's best score, order it by b
    sum       0.7*z(a) + 0.3*rank(b) - c
    one       name   name(window=16, model="a path")   file.py:name   (...)   z(...)   rank(...)

A filter binds least, then a chain, then a sum. Whatever has other characters is quoted, as in JSON or by '.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from codesample.errors import ParameterError

__all__ = [
    "Chain",
    "Expression",
    "Filter",
    "Named",
    "TakesNone",
    "Value",
    "Weighted",
    "Within",
    "is_name",
    "leaves",
    "parse",
    "renamed",
]

Value = int | float | str | bool | None
"""What a parameter can be."""

_MOST_CHARACTERS, _MOST_NESTED = 2000, 40
_CONSTANTS: Final = {"True": True, "False": False, "None": None}
_NAME = re.compile(r"[\w.-]+")
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![^\s>,|+*()='"-]))
    |(?P<word>[^\s>,|+*()='"-][^\s>,|+*()='"]*)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<sign>[>,|+*()=-])
    |(?P<end>$)
    |(?P<open>["'])
    )""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Named:
    """A reranker by its name or place, with parameters that differ from their defaults."""

    name: str
    parameters: tuple[tuple[str, Value], ...] = ()

    def __str__(self) -> str:
        given = ", ".join(f"{_bare(name)}={_written(value)}" for name, value in self.parameters)
        return _bare(self.name) + (f"({given})" if given else "")


@dataclass(frozen=True, slots=True)
class Within:
    """Scores seen within the problem: as z-scores or as ranks from 0 to 1."""

    kind: Literal["z", "rank"]
    of: Expression

    def __str__(self) -> str:
        return f"{self.kind}({self.of})"


@dataclass(frozen=True, slots=True)
class Weighted:
    """A weighted sum of scores."""

    terms: tuple[tuple[float, Expression], ...]

    def __str__(self) -> str:
        text = ""
        for number, (weight, term) in enumerate(self.terms):
            size = abs(weight)
            # a lone term without a factor would be that term itself
            factor = "" if size == 1 and (len(self.terms) > 1 or weight < 0) else f"{_written(_whole(size))}*"
            sign = ("-" if weight < 0 else "") if number == 0 else (" - " if weight < 0 else " + ")
            text += f"{sign}{factor}{_inside(term, 3)}"
        return text


@dataclass(frozen=True, slots=True)
class Chain:
    """Rerankers of which each settles the ties of those before it; a chain within one is part of it."""

    parts: tuple[Expression, ...]

    def __post_init__(self) -> None:
        flat = (each.parts if isinstance(each, Chain) else (each,) for each in self.parts)
        object.__setattr__(self, "parts", tuple(one for each in flat for one in each))

    def __str__(self) -> str:
        return ",".join(_inside(each, 2) for each in self.parts)


@dataclass(frozen=True, slots=True)
class Filter:
    """What is kept, and how it is ordered."""

    by: Expression
    then: Expression

    def __str__(self) -> str:
        return f"{_inside(self.by, 1)} | {self.then}"


Expression = Named | Within | Weighted | Chain | Filter

_BINDS: Final[dict[type, int]] = {Filter: 1, Chain: 2, Weighted: 3, Within: 4, Named: 4}


class TakesNone(ParameterError):
    """A name with a reranker in brackets that is neither z nor rank; whether there is one, others know."""

    def __init__(self, name: str, said: str) -> None:
        super().__init__(said)
        self.name = name


def parse(text: str) -> Expression:
    """Return the tree of an expression; `parse(str(tree)) == tree`.

    Raises:
        ParameterError: no expression; shows the place and says what was expected there.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ParameterError(f"a reranker of {len(text)} characters; expected {_MOST_CHARACTERS} at most")
    return _Parser(text).whole()


def is_name(text: str) -> bool:
    """Tell whether a reranker can be called so: a plain name, or an expression of such, as it is printed."""
    if _NAME.fullmatch(text):
        return True
    try:
        tree = parse(text)
    except ParameterError:
        return False
    return str(tree) == text and all(_NAME.fullmatch(each.name) for each in leaves(tree))


def leaves(tree: Expression) -> list[Named]:
    """Return the rerankers that an expression names, in its order."""
    match tree:
        case Named():
            return [tree]
        case Within():
            return leaves(tree.of)
        case Weighted():
            inner = [term for _, term in tree.terms]
        case Chain():
            inner = list(tree.parts)
        case Filter():
            inner = [tree.by, tree.then]
    return [leaf for each in inner for leaf in leaves(each)]


def renamed(tree: Expression, name_of: Callable[[str], str]) -> Expression:
    """Return an expression with other names of what it names."""
    match tree:
        case Named():
            return Named(name_of(tree.name), tree.parameters)
        case Within():
            return Within(tree.kind, renamed(tree.of, name_of))
        case Weighted():
            return Weighted(tuple((weight, renamed(term, name_of)) for weight, term in tree.terms))
        case Chain():
            return Chain(tuple(renamed(each, name_of) for each in tree.parts))
        case Filter():
            return Filter(renamed(tree.by, name_of), renamed(tree.then, name_of))


class _Token(NamedTuple):
    kind: str
    text: str
    begin: int


class _Parser:
    """Reads one text from left to right; each method takes what its name says."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._depth = 0
        self._tokens = list(self._split())
        self._at = 0

    def whole(self) -> Expression:
        tree = self._filter()
        if self._next.kind != "end":
            raise self._expected("one of > , | + or the end")
        return tree

    def _filter(self) -> Expression:
        by = self._chain()
        # to the right, so that what is left is filtered again
        return Filter(by, self._filter()) if self._took("|") else by

    def _chain(self) -> Expression:
        parts = [self._sum()]
        while self._took(">") or self._took(","):
            parts.append(self._sum())
        return parts[0] if len(parts) == 1 else Chain(tuple(parts))

    def _sum(self) -> Expression:
        negative = self._took("-")
        weight, term = self._term(negative)
        terms = [(weight, term)]
        while (plus := self._took("+")) or self._took("-"):
            weight, term = self._term(negative=not plus)
            terms.append((weight, term))
        if len(terms) == 1 and terms[0][0] is None:
            return term
        return Weighted(tuple((1.0 if each is None else each, one) for each, one in terms))

    def _term(self, negative: bool) -> tuple[float | None, Expression]:
        """Take a term with its weight, None where none is written and nothing negates it."""
        if self._next.kind != "number":
            return (-1.0 if negative else None), self._one()
        weight = self._weight()
        if not self._took("*"):
            raise self._expected("* behind a weight, such as 0.5*z(mean_logprob)")
        return (-weight if negative else weight), self._one()

    def _weight(self) -> float:
        token = self._take()
        weight = float(token.text)
        if not math.isfinite(weight):
            raise self._error(token, "expected a finite weight")
        if not weight:
            raise self._error(token, "expected a weight other than 0, by which nothing counts")
        return weight

    def _one(self) -> Expression:
        if self._took("("):
            return self._nested()
        if self._next.kind not in ("word", "text"):
            raise self._expected("a reranker, such as mean_logprob or my_idea.py:score")
        token = self._take()
        name = self._string(token)
        if not name.strip():
            raise self._error(token, "expected the name of a reranker between the quotes")
        if not self._took("("):
            return Named(name)
        if self._took(")"):
            return Named(name)
        if self._takes_parameters():
            return Named(name, self._parameters())
        if token.kind == "word" and token.text in ("z", "rank"):
            return Within("z" if token.text == "z" else "rank", self._nested())
        error = self._expected(f"a parameter of {name}, such as window=16; z and rank alone take a reranker")
        raise TakesNone(name, str(error))

    def _nested(self) -> Expression:
        """Take an expression and the bracket behind it."""
        self._depth += 1
        if self._depth > _MOST_NESTED:
            raise self._expected(f"at most {_MOST_NESTED} brackets in one another")
        inner = self._filter()
        self._depth -= 1
        if not self._took(")"):
            raise self._expected("a closing bracket")
        return inner

    def _takes_parameters(self) -> bool:
        following = self._tokens[self._at + 1 : self._at + 2]
        return self._next.kind == "word" and bool(following) and following[0].text == "="

    def _parameters(self) -> tuple[tuple[str, Value], ...]:
        given: dict[str, Value] = {}
        while True:
            if self._next.kind != "word":
                raise self._expected("the name of a parameter")
            token = self._take()
            if token.text in given:
                raise self._error(token, f"expected {token.text} once")
            if not self._took("="):
                raise self._expected(f"= behind {token.text}")
            given[token.text] = self._value()
            if self._took(")"):
                return tuple(given.items())
            if not self._took(","):
                raise self._expected("a comma or a closing bracket")

    def _value(self) -> Value:
        negative = self._took("-")
        if self._next.kind == "number":
            token = self._take()
            text = ("-" if negative else "") + token.text
            try:
                number: Value = int(text) if token.text.isdecimal() else float(text)
            except ValueError:
                raise self._error(token, "expected a shorter number") from None
            if isinstance(number, float) and not math.isfinite(number):
                raise self._error(token, "expected a finite number")
            return number
        if negative or self._next.kind not in ("word", "text"):
            raise self._expected("a value: a number, True, False, None, a word or a quoted text")
        token = self._take()
        if token.kind == "word" and token.text in _CONSTANTS:
            return _CONSTANTS[token.text]
        return self._string(token)

    def _string(self, token: _Token) -> str:
        if token.kind == "word":
            return token.text
        if token.text[0] == "'":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
        try:
            return str(json.loads(token.text))
        except ValueError:
            raise self._error(token, "expected a quoted text as in JSON") from None

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at += 1
        return token

    def _took(self, sign: str) -> bool:
        found = self._next.kind == "sign" and self._next.text == sign
        self._at += found
        return found

    def _split(self) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        while not tokens or tokens[-1].kind != "end":
            found = _TOKEN.match(self._text, at)
            assert found is not None
            kind = found.lastgroup
            assert kind is not None
            token = _Token(kind, found[kind], found.start(kind))
            if kind == "open":
                raise self._error(token, "expected a closing quote behind this one")
            tokens.append(token)
            at = found.end()
        return tokens

    def _expected(self, what: str) -> ParameterError:
        return self._error(self._next, f"expected {what}")

    def _error(self, token: _Token, complaint: str) -> ParameterError:
        got = "the end" if token.kind == "end" else repr(token.text)
        # one line, so that the mark stands below its place
        shown = re.sub(r"\s", " ", self._text)
        return ParameterError(
            f"reranker {self._text!r}: {complaint}, got {got}\n  {shown}\n  {' ' * token.begin}^"
        )


def _inside(tree: Expression, binding: int) -> str:
    """Write what stands within an expression, in brackets where it would be read otherwise."""
    return str(tree) if _BINDS[type(tree)] > binding else f"({tree})"


def _bare(text: str) -> str:
    """Write a word as it is where it is read as one, else in quotes."""
    tokens = [(each.lastgroup, each[0]) for each in _TOKEN.finditer(text)]
    plain = tokens[:1] == [("word", text)] and text not in _CONSTANTS and text.isprintable()
    return text if plain else json.dumps(text)


def _written(value: Value) -> str:
    return _bare(value) if isinstance(value, str) else repr(value)


def _whole(weight: float) -> int | float:
    return int(weight) if weight.is_integer() and weight < 1e15 else weight
