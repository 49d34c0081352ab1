"""What the name of a reranker says, in words: how it is composed, and what each member measures."""

from __future__ import annotations

from codesample.errors import CodesampleError, ParameterError
from codesample.evaluation.members import keeps_some
from codesample.rerankers.description import describe_reranker
from codesample.rerankers.expression import Chain, Expression, Filter, Named, Weighted, Within, leaves, parse
from codesample.rerankers.registry import load_reranker, reranker_names

__all__ = ["explained"]

_ANEW = "Scores behind a | are given among the kept alone, and may differ from those over all candidates."


def explained(name: str) -> list[tuple[str, str]]:
    """Return what a name says: how it is composed, if it is, and what each reranker in it measures.

    Returns: pairs of a name and a sentence; those of files and places, which are not opened, are left out.
    """
    try:
        tree = parse(name)
    except ParameterError:
        return []
    anew = f" {_ANEW}" if keeps_some(name) else ""
    last = "Who has no score comes last."
    said = [] if isinstance(tree, Named) else [(name, f"{_sentence(tree)}{anew} {last}")]
    for each in dict.fromkeys(leaves(tree)):
        if summary := _summary(each):
            said.append((str(each), summary))
    return said


def _summary(leaf: Named) -> str:
    # making a page must not run what a name leads to
    if leaf.name not in reranker_names():
        return ""
    try:
        return describe_reranker(load_reranker(leaf.name)).summary
    except CodesampleError:
        return ""


def _sentence(tree: Expression) -> str:
    words = _words(tree)
    return f"{words[0].upper()}{words[1:]}."


def _words(tree: Expression) -> str:
    match tree:
        case Filter():
            return f"keep those that are best by {_named(tree.by)}; only among these, {_words(tree.then)}"
        case Chain():
            return "order by " + ", ties by ".join(map(_named, tree.parts))
        case Weighted():
            return f"order by the sum {tree}"
        case Within(kind="z"):
            return f"order by {tree.of}, in standard deviations from the mean of the problem's candidates"
        case Within():
            return f"order by {tree.of}, as the share of the problem's other candidates that are lower"
        case Named():
            return f"order by {tree}"


def _named(tree: Expression) -> str:
    return f"({_words(tree)})" if isinstance(tree, Chain | Filter) else str(tree)
