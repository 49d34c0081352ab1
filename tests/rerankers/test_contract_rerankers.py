from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import codesample
from codesample.errors import ExecutionError, ParameterError, RerankerError
from codesample.records import Candidate, PublicView
from codesample.rerankers.compose import then
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker, require_supplied, reranker
from codesample.rerankers.registry import load_reranker


def _returning(value: Any) -> Reranker:
    return Reranker("r", lambda view, candidates, ctx: value)


def test_the_bare_decorator_takes_the_functions_name_and_text(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    @codesample.reranker
    def by_index(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        """Say something."""
        return [candidate.index for candidate in candidates]

    assert isinstance(by_index, Reranker)
    assert (by_index.name, by_index.needs, by_index.independent) == ("by_index", frozenset(), False)
    assert by_index.__doc__ == "Say something."
    assert by_index.score(view, candidates, ctx) == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_name_and_needs_can_be_given() -> None:
    made = reranker("named", needs={"logprobs"})(lambda view, candidates, ctx: [])
    assert (made.name, made.needs) == ("named", {"logprobs"})
    assert reranker("listed", needs=["run"])(lambda view, candidates, ctx: []).needs == {"run"}


def test_a_scorer_of_single_candidates_is_wrapped(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    @reranker(per_candidate=True)
    def length(view: PublicView, candidate: Candidate, ctx: Context) -> float | None:
        return None if candidate.index == 1 else len(candidate.completion)

    assert length.independent
    assert length.score(view, candidates[:3], ctx) == [16.0, None, 16.0]


@pytest.mark.parametrize("needs", [{"verdicts"}, {"logprobs", "hidden"}])
def test_an_unknown_ability_is_refused_when_declared(needs: set[str]) -> None:
    with pytest.raises(ParameterError, match="abilities are: logprobs, public_examples"):
        reranker("r", needs=needs)(lambda view, candidates, ctx: [])


def test_needs_given_as_one_string_are_refused() -> None:
    with pytest.raises(
        ParameterError,
        match=r"needs = 'logprobs': expected a set of texts \(text given; write {'logprobs'}\)",
    ):
        reranker(needs="logprobs")


@pytest.mark.parametrize("name", ["", "a/b", "a b", "../x"])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(ParameterError, match="expected letters, digits"):
        Reranker(name, lambda view, candidates, ctx: [])


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ([1.0], "returned 1 scores for 5 candidates"),
        ([1.0] * 6, "returned 6 scores for 5 candidates"),
        ([1.0, 1.0, math.nan, 1.0, 1.0], "score 2 is nan, expected a finite number"),
        ([1.0, 1.0, 1.0, 1.0, math.inf], "score 4 is inf"),
        ([1.0, "1", 1.0, 1.0, 1.0], "score 1 is str"),
        ([1.0, 1j, 1.0, 1.0, 1.0], "score 1 is complex"),
        ([10**400, 1, 1, 1, 1], "score 0 is no float"),
        ([Fraction(10**400), 1, 1, 1, 1], "score 0 is no float"),
        ([Decimal("nan"), 1, 1, 1, 1], "score 0 is nan"),
        ([Decimal("1e999"), 1, 1, 1, 1], "score 0 is inf"),
        ([Decimal("sNaN"), 1, 1, 1, 1], "score 0 is no float"),
        ({0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0, 4: 1.0}, "returned dict"),
        ({1.0, 2.0, 3.0, 4.0, 5.0}, "returned set"),
        (itertools.count(), "returned at least 6 scores for 5 candidates"),
        ((1.0 for _ in range(4)), "returned 4 scores for 5 candidates"),
        ([[1.0], [1.0], [1.0], [1.0], [1.0]], "score 0 is list"),
        (None, "returned NoneType, expected one score per candidate"),
        ("12345", "returned str"),
        (1.0, "returned float"),
    ],
)
def test_what_is_not_one_finite_score_each_is_refused(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, value: Any, complaint: str
) -> None:
    with pytest.raises(RerankerError, match=complaint) as caught:
        _returning(value).score(view, candidates, ctx)
    assert str(caught.value).startswith("reranker 'r', problem 't/0': ")


def test_any_real_number_is_a_score(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> None:
    numpy = pytest.importorskip("numpy")
    scores = _returning([1, True, numpy.float32(0.5), None, 2.5]).score(view, candidates, ctx)
    assert scores == [1.0, 1.0, 0.5, None, 2.5]
    assert {type(score) for score in scores} == {float, type(None)}
    kinds = [Decimal("0.25"), Fraction(1, 4), numpy.float64(0.25), numpy.array(0.25), numpy.bool_(False)]
    assert _returning(kinds).score(view, candidates, ctx) == [0.25, 0.25, 0.25, 0.25, 0.0]


def test_arrays_of_one_dimension_and_generators_are_scores(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    numpy, torch = pytest.importorskip("numpy"), pytest.importorskip("torch")
    expected = [0.0, 1.0, 2.0, 3.0, 4.0]
    tensors = [torch.arange(5), torch.arange(5.0, requires_grad=True), torch.arange(5).bfloat16()]
    for value in (numpy.arange(5), numpy.arange(5, dtype="float16"), iter(range(5)), range(5), *tensors):
        assert _returning(value).score(view, candidates, ctx) == expected
    assert _returning([torch.tensor(2.0)] * 5).score(view, candidates, ctx) == [2.0] * 5


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        ("numpy.zeros((5, 1))", r"array of shape \(5, 1\), expected \(5,\)"),
        ("numpy.float64(1)", "returned float64"),
        ("numpy.full(5, numpy.nan, dtype='float32')", "score 0 is nan"),
        ("numpy.ones(5, dtype='complex128')", "score 0 is complex128"),
        ("[numpy.ones(1)] * 5", "score 0 is ndarray"),
        ("torch.zeros(1, 5)", r"array of shape \(1, 5\)"),
        ("torch.tensor(1.0)", r"array of shape \(\)"),
        ("torch.full((5,), float('inf'))", "score 0 is inf"),
        ("torch.ones(5, dtype=torch.complex64)", "score 0 is Tensor"),
        ("torch.zeros(4)", "returned 4 scores"),
    ],
)
def test_other_arrays_are_refused_by_what_they_are(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, make: str, complaint: str
) -> None:
    names = {name: pytest.importorskip(name) for name in ("numpy", "torch")}
    with pytest.raises(RerankerError, match=complaint):
        _returning(eval(make, names)).score(view, candidates, ctx)


def test_no_candidates_need_no_scorer(view: PublicView, ctx: Context) -> None:
    assert _returning(None).score(view, [], ctx) == []


def test_an_exception_names_the_reranker_and_the_problem(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    def broken(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        raise KeyError("x")

    with pytest.raises(RerankerError, match=r"reranker 'r', problem 't/0': raised KeyError: 'x'") as caught:
        Reranker("r", broken).score(view, candidates, ctx)
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_failure_of_the_harness_is_not_blamed_on_the_reranker(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    def unlucky(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        raise ExecutionError("the sandbox is gone")

    with pytest.raises(ExecutionError, match="the sandbox is gone"):
        Reranker("r", unlucky).score(view, candidates, ctx)


@pytest.mark.parametrize(
    ("read", "field", "need"),
    [
        (lambda view, each: each.logprobs, "logprobs", "logprobs"),
        (lambda view, each: each.sampled_logprobs, "sampled_logprobs", "logprobs"),
        (lambda view, each: view.examples, "examples", "public_examples"),
    ],
)
def test_reading_what_was_not_declared_is_refused(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, read: Any, field: str, need: str
) -> None:
    def peek(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        return [0.0 if read(view, each) is not None else None for each in candidates]

    with pytest.raises(RerankerError, match=f"read '{field}', an ability it does not declare; add '{need}'"):
        Reranker("r", peek).score(view, candidates, ctx)
    assert Reranker("r", peek, needs={need}).score(view, candidates, ctx) in ([0.0] * 5, [None] * 5)


def test_everything_else_can_be_read_without_declaring(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    def look(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        assert (view.prompt, view.entry_point, view.task_id) == (view.prompt, "f", "t/0")
        return [len(each.completion) + len(each.program or "") + each.index for each in candidates]

    assert None not in Reranker("r", look).score(view, candidates, ctx)


def test_candidates_and_views_with_hidden_parts_are_compared_printed_and_replaced_like_others(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    def use(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        first = candidates[0]
        assert candidates.index(candidates[3]) == 3
        assert Counter(candidates) == Counter(dict.fromkeys(candidates, 1))
        assert repr(first.completion) in repr(first)
        assert (
            f"PublicView(task={view.task!r}, task_id={view.task_id!r}, prompt={view.prompt[:40]!r}"
            in repr(view)
        )
        assert "logprobs" not in repr(first)
        changed = replace(first, completion="other")
        assert (changed.completion, changed.program, changed == first) == ("other", first.program, False)
        assert replace(changed, completion=first.completion) == first
        assert {replace(view, task_id=view.task_id): 1} == {view: 1}
        with pytest.raises(RerankerError, match="read 'logprobs'"):
            _ = changed.logprobs
        with pytest.raises(RerankerError, match="read 'examples'"):
            _ = replace(view, task_id="x").examples
        return [0.0] * len(candidates)

    assert Reranker("r", use).score(view, candidates, ctx) == [0.0] * 5


def test_a_need_that_a_run_cannot_supply_is_refused_with_the_reason() -> None:
    mine = reranker("mine", needs={"logprobs", "run"})(lambda view, candidates, ctx: [])
    require_supplied([mine], {"logprobs", "run"})
    with pytest.raises(RerankerError, match=r"'mine' needs 'run' .* does not supply$"):
        require_supplied([mine], {"logprobs"})
    with pytest.raises(RerankerError, match="does not supply: the server keeps none"):
        require_supplied([mine], {"run"}, {"logprobs": "the server keeps none"})


def _written(tmp_path: Any, body: str) -> Reranker:
    file = tmp_path / "idea.py"
    file.write_text(
        "import sys\n"
        "from codesample import reranker\n\n\n"
        "def deeper(value):\n    return 1 / value\n\n\n"
        f"@reranker\ndef mine(view, candidates, ctx):\n{body}\n"
    )
    return load_reranker(f"{file}:mine")


@pytest.mark.parametrize(
    ("body", "complaint", "line"),
    [
        ("    raise KeyError('x')", "raised KeyError: 'x'", 11),
        ("    return [deeper(0)]", "raised ZeroDivisionError: division by zero", 6),
        ("    return sorted(candidates, key=lambda c: c.nothing)", "raised AttributeError", 11),
        ("    return (1 / 0 for c in candidates)", "raised ZeroDivisionError", 11),
        ("    sys.exit(3)", r"called sys.exit\(3\)", 11),
        ("    return mine.score(view, candidates, ctx)", "raised RecursionError", "(9|11)"),
        ("    raise GeneratorExit", "raised GeneratorExit", 11),
        ("    class Rude(Exception):\n        __str__ = None\n    raise Rude", "raised Rude: without", 13),
        ("    raise ValueError('x' * 10_000)", r"raised ValueError: x{500} \.\.\.", 11),
        ("    return [c.logprobs for c in candidates]", "an ability it does not declare", 11),
        ("    ctx.generate('x')", "used an ability it does not declare: 'generate'", 11),
        ("    return []", "returned 0 scores for 5 candidates", 9),
        ("    return [float('nan')] * 5", "score 0 is nan", 9),
        ("    pass", "returned NoneType", 9),
    ],
)
def test_what_goes_wrong_is_told_with_the_line_of_the_scorers_own_file(
    view: PublicView,
    candidates: Sequence[Candidate],
    ctx: Context,
    tmp_path: Any,
    body: str,
    complaint: str,
    line: int | str,
) -> None:
    mine = _written(tmp_path, body)
    place = re.escape(f" ({tmp_path / 'idea.py'}:") + f"{line}\\)"
    with pytest.raises(RerankerError, match=f"^reranker 'mine', problem 't/0': .*{complaint}.*{place}$"):
        mine.score(view, candidates, ctx)


def test_a_part_of_a_reranker_is_told_of_once(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, tmp_path: Any
) -> None:
    mine = _written(tmp_path, "    raise KeyError('x')")
    both = then(mine, _returning([0.0] * 5))
    with pytest.raises(RerankerError) as caught:
        both.score(view, candidates, ctx)
    assert str(caught.value) == (
        f"reranker {both.name!r}: reranker 'mine', problem 't/0': raised KeyError: 'x' "
        f"({tmp_path / 'idea.py'}:11)"
    )


def test_ctrl_c_ends_more_than_the_reranker(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, tmp_path: Any
) -> None:
    with pytest.raises(KeyboardInterrupt):
        _written(tmp_path, "    raise KeyboardInterrupt").score(view, candidates, ctx)


def test_a_refusal_of_the_model_is_told_with_the_reranker(
    view: PublicView, candidates: Sequence[Candidate], tmp_path: Any
) -> None:
    class Full:
        def generate_all(self, asked: Any, *, n: int, params: Any) -> Any:
            raise ParameterError("the prompt has 9 tokens")

    def ask(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        ctx.generate("x")
        return []

    ctx = Context(view, model=lambda name: Full())  # type: ignore[arg-type, return-value]
    with pytest.raises(RerankerError, match=rf"'r', problem 't/0': the prompt has 9 tokens \({__file__}:"):
        Reranker("r", ask, needs={"generate"}).score(view, candidates, ctx)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("ctx.generate_all(7)", "prompts = 7: expected a list of texts or lists of Messages"),
        ("ctx.generate_all(['x', 7])", "prompts[1] = 7: expected a text or a list of messages"),
        ("ctx.generate_all(['x'], n=0)", "n = 0: expected at least 1 continuation of a prompt"),
        ("ctx.generate('x', n=True)", "n = True: expected a whole number"),
        ("ctx.generate('x', n=1.5)", "n = 1.5: expected a whole number"),
    ],
)
def test_a_model_is_asked_for_texts_behind_several_prompts_only(
    view: PublicView, candidates: Sequence[Candidate], tmp_path: Any, call: str, said: str
) -> None:
    def ask(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        eval(call, {"ctx": ctx})
        return [0.0] * len(candidates)

    # whatever it is asked for would fail otherwise
    ctx = Context(view, model=lambda name: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(RerankerError) as caught:
        Reranker("r", ask, needs={"generate"}).score(view, candidates, ctx)
    assert f"problem 't/0': {said}" in str(caught.value)
