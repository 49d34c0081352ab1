"""Every built-in method that asks for no behaviour is blind, repeats itself and is free of order."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from codesample.records import Candidate, Message, Problem, Prompt, PublicView, SamplingParams
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker
from codesample.rerankers.registry import load_reranker
from codesample.testing.rerankers import TrustedChecks, check_blind, check_order_free

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
PLACES: dict[str, str] = PROJECT["project"]["entry-points"]["codesample.rerankers"]
MODULES = {
    "confidence",
    "degenerate",
    "executable",
    "llm_judge",
    "logprob",
    "public_examples",
    "reviewer",
    "text_agreement",
}
NAMES = [name for name, place in PLACES.items() if place.split(":")[0].rpartition(".")[2] in MODULES]
RANDOM = "not_degenerate | 0.5*z(mean_logprob) + 0.5*rank(judge_pairwise) > coder_reviewer(alpha=0.25)"


class Hashing:
    """Writes and reads by a hash of what it is given: equal for equal questions, else as it comes."""

    def generate_all(
        self, asked: Sequence[tuple[str, Prompt]], *, n: int, params: SamplingParams
    ) -> list[list[Candidate]]:
        return [self._answered(prompt, n, key) for key, prompt in asked]

    def _answered(self, prompt: Prompt, n: int, key: str) -> list[Candidate]:
        number = self._number(repr(prompt))
        grade, ranking, best = str(number % 11), "B > A" if number % 2 else "A > B", "AB"[number % 2]
        answer = f"Score: {grade}\nRanking: {ranking}\nBetter: {best}"
        if isinstance(prompt, str):
            answer = grade if "from 0" in prompt else ranking if "letters" in prompt else best
        return [Candidate(key, at, answer, token_ids=(0,)) for at in range(n)]

    def logprobs(self, given: Sequence[tuple[Prompt, str]]) -> list[tuple[float, ...]]:
        return [(-float(self._number(repr(pair)) % 97),) for pair in given]

    def _number(self, text: str) -> int:
        return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)


def _load(name: str) -> Reranker:
    if name in PLACES:
        return load_reranker(PLACES[name])
    spec = name
    for each, place in PLACES.items():
        spec = " ".join(place if word == each else word for word in spec.split(" "))
        for opened in ("(", "*z(", "*rank("):
            spec = spec.replace(f"{opened}{each})", f"{opened}{place})")
        spec = spec.replace(f" {each}(", f" {place}(")
    return load_reranker(spec)


@pytest.fixture
def known(candidates: Sequence[Candidate]) -> list[Candidate]:
    tokens = [(1, 2), (1,), (3, 2), (4,), ()]
    return [
        Candidate(
            each.task_id,
            each.index,
            each.completion,
            token_ids=ids,
            logprobs=each.logprobs,
            certainties=each.logprobs,
            confidences=each.logprobs,
            program=each.program,
        )
        for each, ids in zip(candidates, tokens, strict=True)
    ]


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("name", [*NAMES, RANDOM])
def test_each_is_blind_repeats_itself_and_is_free_of_order(
    name: str, chat: bool, problem: Problem, known: Sequence[Candidate]
) -> None:
    asked = (Message("user", problem.prompt),) if chat else None

    def make_context(problem: Problem, view: PublicView) -> Context:
        return Context(view, checks=TrustedChecks(), model=lambda name: Hashing(), asked=asked)

    each = _load(name)
    check_blind(each, problem, known, make_context=make_context)
    check_order_free(each, problem, known, make_context=make_context)
    view = PublicView.of("t", problem)
    scores = each.score(view, known, make_context(problem, view))
    assert any(score is not None for score in scores)
    # equal programs with equal tokens have equal scores
    twice = [
        *known,
        Candidate(**{name: getattr(known[0], name) for name in known[0].__slots__} | {"index": 9}),
    ]
    again = each.score(view, twice, make_context(problem, view))
    assert again[0] == again[-1]
    if each.independent:
        assert again[:-1] == scores
        for at, one in enumerate(known):
            assert each.score(view, [one], make_context(problem, view)) == [scores[at]]
    assert each.score(view, [], make_context(problem, view)) == []


def test_every_method_is_here_or_has_tests_of_its_own() -> None:
    others = {place.split(":")[0].rpartition(".")[2] for place in PLACES.values()} - MODULES
    for module in others:
        assert (Path(__file__).parent / f"test_{module}.py").is_file()
