"""Words for stops that no string can say; each stands wherever a stop string does.

    sampler.sample(prompt, stop=codesample.stops.PYTHON_FUNCTION)

Stop strings such as a line that begins with `def` cut good programs: one whose function calls a helper below
it, or holds a text with such a line. A word of this module is read as Python instead.
"""

from __future__ import annotations

from collections.abc import Sequence

from codesample.extraction.function_end import FunctionEnd, ends_in_function

__all__ = ["PYTHON_FUNCTION", "FunctionEnd", "ends_in_function", "words_in"]

PYTHON_FUNCTION = "python:function"
"""Ends a candidate where the function ends that it completes.

That is the outermost function that is open at the end of the prompt, or else the first that the candidate
begins. It ends before the first line, outside of strings and brackets, that is indented no deeper than its
`def`. Blank lines, comments and decorators decide nothing: what follows them does. A function or class
that the lines before it name is a helper, and is kept. What is cut begins behind the last line kept.

It is recorded as this text, compared as this when a run is resumed, and given as this on the command line:
`--stop python:function`. Answers to messages hold prose and whole programs: for them it is left out, and
extraction finds the program. An engine without the ability "stop_words" refuses it.
"""

_WORDS = frozenset({PYTHON_FUNCTION})


def words_in(stops: Sequence[str]) -> tuple[str, ...]:
    """Return those stops that are words of this module, and no strings to be looked for."""
    return tuple(stop for stop in stops if stop in _WORDS)
