"""A reranker by log-probability, in six lines: the candidate whose least likely token is the likeliest.

    codesample eval mini --n 16 --out runs/mine
    codesample rerank runs/mine -r examples/my_logprob.py:surprise -r mean_logprob
    codesample rerankers check examples/my_logprob.py:surprise

What a function looks at beyond prompt and text it declares: `needs={"logprobs"}`. A score is a number, higher
is better; None abstains and ranks last.
"""

from codesample import reranker


@reranker(needs={"logprobs"}, per_candidate=True)
def surprise(view, candidate, ctx):
    """Score by the lowest log-probability of any token, in nats; a candidate without any abstains."""
    return min(candidate.logprobs or (), default=None)
