"""An engine that gives the candidates of a list, and a prompt with right and wrong ones."""

from __future__ import annotations

from codesample import (
    Reproducibility,
)
from codesample.records import Candidate

PROMPT = 'def double(x):\n    """Return twice x.\n\n    >>> double(3)\n    6\n    """\n'
WRONG, RIGHT, BROKEN = "    return x + 1\n", "    return 2 * x\n", "    return (\n"


class Canned:
    """An engine whose candidate i is the i-th of a list; notes which were asked for."""

    name = "canned"
    reproducibility = Reproducibility.EXACT

    def __init__(self, *completions, abilities=("logprobs",)):
        self.completions, self.abilities, self.asked = completions, frozenset(abilities), []

    def stream(self, requests, params, *, progress=None):
        for request in requests:
            for index in reversed(request.indices):
                self.asked.append(index)
                text = self.completions[index % len(self.completions)]
                ids = tuple(range(len(text)))
                yield Candidate(request.task_id, index, text, ids, tuple(-0.1 * (index + 1) for _ in ids))

    def describe(self):
        return {"name": self.name}
