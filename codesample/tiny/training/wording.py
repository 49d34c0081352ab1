"""Puts a composition into words: a docstring sentence and a function name."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from codesample.tiny.training.code import Texts, fill, split_slots
from codesample.tiny.training.composition import Composition, Filter, Map, Stage
from codesample.tiny.training.stages import Operation

__all__ = ["describe", "function_name"]

_NOUNS = {
    "ints": ("numbers", "values", "integers"),
    "words": ("words", "strings"),
    "text": ("characters", "letters"),
    "dict": ("entries", "items"),
    "tally": ("entries",),
    "pairs": ("pairs", "records"),
    "rows": ("rows", "lists"),
}
_HALVES = {"a": {"pairs": "name"}, "b": {"pairs": "number"}}
_OPENINGS = ("Return", "Return", "Return", "Compute", "Find", "Give", "Work out", "Get", "Determine")
_GENERIC = [
    "solve",
    "compute",
    "process",
    "transform",
    "f",
    "calculate",
    "run",
    "answer",
    "task",
    "evaluate",
    "convert",
    "select",
    "build",
    "func",
]
_EACH = re.compile(r"\b(each one|them|each)\b")


def _posts(stage: Filter, kind: str, slots: Texts, rng: random.Random) -> str:
    if stage.part == "x":
        return fill(rng.choice(stage.test.posts), slots)
    half = _HALVES[stage.part].get(kind, "key" if stage.part == "a" else "value")
    return f"whose {half} {fill(rng.choice(stage.test.verbs), slots)}"


def _source(composition: Composition, arguments: Sequence[str], rng: random.Random) -> tuple[str, str]:
    """Return the noun of the source's elements and the phrase that says where they are."""
    if composition.source == "twoints":
        return "lists", f"{arguments[0]} and {arguments[1]}"
    return rng.choice(_NOUNS[composition.source]), f"{rng.choice(('in', 'of'))} {arguments[0]}"


def _choice_clause(stage: Map, slots: Texts, rng: random.Random) -> str:
    assert stage.test is not None
    test = fill(rng.choice(stage.test.verbs), split_slots(slots, "t"))
    yes = _EACH.sub("it", fill(rng.choice(stage.map.verbs), split_slots(slots, "m")))
    if stage.other is None:
        return rng.choice(
            (
                f"where one {test}, {yes}; leave the others as they are",
                f"if one {test}, {yes}, otherwise leave it alone",
            )
        )
    no = _EACH.sub("it", fill(rng.choice(stage.other.verbs), split_slots(slots, "o")))
    return rng.choice((f"where one {test}, {yes}, otherwise {no}", f"if one {test}, {yes}; if not, {no}"))


def _verb(stage: Stage, kind: str, slots: Texts, noun: str, rng: random.Random) -> str:
    if isinstance(stage, Filter):
        if stage.test.adjective and stage.part == "x" and rng.random() < 0.5:
            return rng.choice(
                (f"keep the {stage.test.adjective} ones", f"keep only the {stage.test.adjective} {noun}")
            )
        post = _posts(stage, kind, slots, rng)
        return rng.choice((f"keep those {post}", f"keep only the {noun} {post}", f"pick the ones {post}"))
    if isinstance(stage, Map):
        if stage.test is not None:
            return _choice_clause(stage, slots, rng)
        verb = fill(rng.choice(stage.map.verbs), slots)
        return f"for every value, {_EACH.sub('it', verb)}" if stage.dst == "dict" else verb
    return fill(rng.choice(stage.verbs), slots)


def _nominal(composition: Composition, texts: Sequence[Texts], arguments: Sequence[str],
             rng: random.Random) -> str | None:  # fmt: skip
    """Return one nested noun phrase, or None where a later filter or a choice would make it ambiguous."""
    stages, types = composition.stages, composition.types
    noun, where = _source(composition, arguments, rng)
    start = 0
    if stages[0].key == "split":
        noun, where, start = "words", f"of {arguments[0]}", 1
    adjectives: list[str] = []
    posts: list[str] = []
    while start < len(stages) and isinstance(stages[start], Filter):
        stage = stages[start]
        assert isinstance(stage, Filter)
        if stage.test.adjective and stage.part == "x" and rng.random() < 0.75:
            adjectives.append(stage.test.adjective)
        else:
            posts.append(_posts(stage, types[start], texts[start], rng))
        start += 1
    tail = (
        (where, " and ".join(posts))
        if rng.random() < 0.7 or composition.source == "twoints"
        else (" and ".join(posts), where)
    )
    phrase = " ".join(p for p in ("the", ", ".join(adjectives), noun, *tail) if p)
    for i in range(start, len(stages)):
        stage = stages[i]
        if isinstance(stage, Filter) or (
            isinstance(stage, Map) and (stage.test is not None or stage.dst == "dict")
        ):
            return None
        nouns = stage.map.nouns if isinstance(stage, Map) else stage.nouns
        phrase = fill(rng.choice(nouns), {**texts[i], "np": phrase})
    return phrase


def _procedural(composition: Composition, texts: Sequence[Texts], arguments: Sequence[str],
                rng: random.Random) -> str:  # fmt: skip
    first, where = _source(composition, arguments, rng)
    verbs = []
    for i, stage in enumerate(composition.stages):
        kind = composition.types[i]
        noun = first if i == 0 else _NOUNS.get(kind, ("values",))[0]
        verb = _verb(stage, kind, {**texts[i], "v": "it" if i else arguments[0]}, noun, rng)
        verbs.append(verb.replace("return ", "take ", 1) if i + 1 < len(composition.stages) else verb)
    if isinstance(composition.stages[-1], (Filter, Map)) and rng.random() < 0.5:
        verbs.append(rng.choice(("return the result", "return what is left", "return them")))
    if composition.stages[0].key == "split":
        return _sentences("", verbs, rng)
    return _sentences(f"the {first} {where}", verbs, rng)


def _sentences(source: str, verbs: Sequence[str], rng: random.Random) -> str:
    """Join imperatives into one sentence, or into one for each."""
    if len(verbs) > 1 and rng.random() < 0.3:
        parts = [_capital(verbs[0])]
        for verb in verbs[1:]:
            lead = rng.choice(("Then ", "", "Next, ", "After that, "))
            parts.append(lead + verb if lead else _capital(verb))
        start = f"{rng.choice(('Take', 'Start with', 'Go through', 'Look at'))} {source}. " if source else ""
        return start + ". ".join(parts)
    last = rng.choice((" and ", ", then ", ", and finally "))
    joined = ", ".join(verbs[:-1]) + (last if len(verbs) > 1 else "") + verbs[-1]
    if not source:
        return _capital(joined)
    start = rng.choice(
        ("Take {}, ", "Given {}, ", "From {}, ", "Go through {}: ", "For {}, ", "With {}: ", "Take {} and ")
    )
    return start.format(source) + joined


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def describe(
    composition: Composition, texts: Sequence[Texts], arguments: Sequence[str], rng: random.Random
) -> str:
    """Return the docstring's text: one to four sentences of English that state what is computed.

    Args:
        composition: What is computed.
        texts: For each stage, slot name to the constant as it reads in the docstring.
        arguments: Names of the source arguments.
        rng: Settles every choice of wording.
    """
    phrase = _nominal(composition, texts, arguments, rng) if rng.random() < 0.6 else None
    if phrase is None:
        return _procedural(composition, texts, arguments, rng) + "."
    listed = composition.types[-1] in ("ints", "words") and phrase.startswith("the ") and rng.random() < 0.3
    if listed:
        phrase = rng.choice(("a list of ", "a list with ")) + phrase
    last = composition.types[-1]
    opening = rng.choice(("Return", "Tell", "Check", "Say")) if last == "bool" else rng.choice(_OPENINGS)
    return f"{opening} {phrase}."


def _slug(stage: Stage, rng: random.Random) -> str:
    if isinstance(stage, Filter):
        return stage.test.key
    if isinstance(stage, Map):
        return stage.map.key
    return rng.choice(stage.slugs)


def function_name(composition: Composition, rng: random.Random) -> str:
    """Return a name made of the stages' words in one of several orders, or a name that says nothing."""
    if rng.random() < 0.2:
        return rng.choice(_GENERIC)
    slugs = [_slug(s, rng) for s in composition.stages if not (isinstance(s, Operation) and s.key == "split")]
    if len(slugs) > 1 and rng.random() < 0.5:
        slugs = [slugs[-1], *slugs[:-1]]
    if len(slugs) > 3:
        slugs = slugs[:3]
    if rng.random() < 0.2:
        slugs.append(rng.choice(_NOUNS.get(composition.source, ("lists",))))
    return "_".join(slugs)
