"""Rerankers by what programs do: a program is worth as much as there are others that agree with it.

    codesample eval mini_blind --n 16 --out runs/mine
    codesample rerank runs/mine -r examples/output_consensus.py:agreement
    codesample rerank runs/mine -r "examples/output_consensus.py:on_my_inputs > mean_logprob"

`agreement` takes the inputs that the toolkit makes for every problem; one table of results serves all
rerankers of a run and is kept in its folder. `on_my_inputs` brings inputs of its own. The sandbox runs both.
"""

from collections import Counter

from codesample import reranker

NUMBERS = [([3, 1, 2],), ([],), ([5, 5],)]
TEXTS = [("abc",), ("",)]


@reranker(needs={"outputs"})
def agreement(view, candidates, ctx):
    """Score by the share of candidates that return the same, mean over the inputs; crashes do not agree."""
    rows = ctx.outputs(candidates).rows
    # row None: the harness failed; result None: the call failed
    columns = list(zip(*(row for row in rows if row is not None), strict=True))
    votes = [Counter(result for result in column if result is not None) for column in columns]
    if not votes:
        return [None for _ in rows]
    return [row and sum(map(Counter.__getitem__, votes, row)) / len(votes) / len(rows) for row in rows]


@reranker(needs={"run"})
def on_my_inputs(view, candidates, ctx):
    """Score by how many candidates return the same on a few lists and texts; of crashes nothing follows."""
    if view.entry_point is None:
        return [None for _ in candidates]
    rows = ctx.run(candidates, NUMBERS + TEXTS)
    votes = Counter(row for row in rows if row is not None and any(row))
    return [float(votes[row]) if row in votes else None for row in rows]
