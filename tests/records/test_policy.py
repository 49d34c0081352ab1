"""A policy is one record and one text; whatever is not built or not written so is refused."""

import json
import string
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import CodesampleError, ParameterError
from codesample.records import Policy
from codesample.records import policy as policy_module

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,8}", fullmatch=True)
WORDS = NAMES.filter(lambda word: word.lower() not in ("true", "false"))
NUMBERS = st.one_of(st.integers(-(1 << 53), 1 << 53), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.one_of(st.booleans(), NUMBERS, WORDS)


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("exact", Policy()),
        ("quest(keep=0.2)", Policy("quest", (("keep", 0.2),))),
        (" quest ( keep = .2 , refresh=4 ) ", Policy("quest", (("refresh", 4), ("keep", 0.2)))),
        (
            "token-select(scope=layer, pool=False)",
            Policy("token-select", (("pool", False), ("scope", "layer"))),
        ),
        ("prefix=quest(keep=1e-1), prefill=full, hosts=1", Policy("quest", (("keep", 0.1),))),
        ("schedule=auto", Policy()),
        ("quest()", Policy("quest")),
    ],
)
def test_is_read_from_text(text: str, policy: Policy) -> None:
    assert Policy.parse(text) == policy
    assert Policy.parse(str(policy)) == policy


@given(NAMES, st.dictionaries(NAMES, VALUES, max_size=4))
def test_every_policy_is_read_back_from_its_text(name: str, parameters: dict) -> None:
    policy = Policy(name, tuple(parameters.items()))
    again = Policy.parse(str(policy))
    assert again == policy
    assert [type(value) for _, value in again.parameters] == [type(value) for _, value in policy.parameters]


@given(st.text(alphabet=string.ascii_letters + string.digits + "(),=.-+_ \t\n'\"é\0", max_size=60))
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    try:
        policy = Policy.parse(text)
    except ParameterError as error:
        assert str(error).startswith("policy")  # noqa: PT017
    else:
        assert Policy.parse(str(policy)) == policy


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a policy, such as quest"),
        ("quest(", "expected the name of a parameter, got the end"),
        ("quest(keep)", "expected = behind keep"),
        ("quest(keep=)", "expected a number, true, false or a word"),
        ("quest(keep=0.2", "expected a comma or a closing bracket"),
        ("quest(keep=0.2,)", "expected the name of a parameter"),
        ("quest(keep=0.2 refresh=8)", "expected a comma or a closing bracket, got 'refresh'"),
        ("quest(keep=0.2, keep=0.3)", "expected keep once"),
        ("quest(keep=1e999)", "expected a finite number"),
        (f"pattern(block_size={1 << 54})", "expected at most 2^53"),
        ("quest(keep=nan)x", "expected a comma or the end"),
        ("quest(keep=0.2x)", "expected a name, a number"),
        ("quest(keep='a')", "expected a name, a number"),
        ("quest quest", "expected a comma or the end, got 'quest'"),
        ("quest, squeezed", "the prefix policy stands first"),
        ("quest, prefix=exact", "expected prefix once"),
        ("prefill=full, prefill=full", "expected prefill once"),
        ("prefix=", "expected a policy, got the end"),
        ("speed=1", "expected one of the axes prefix, prefill, decode_cache, schedule, storage, hosts"),
        ("quest\n", "expected a name, a number"),
        ("q" * 1001, "a policy of 1001 characters; expected 1000 at most"),
    ],
)
def test_what_is_not_written_so_is_refused(text: str, said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Policy.parse(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prefill=some", "prefill = 'some' is not built; expected 'full'"),
        ("exact, decode_cache=some", "decode_cache = 'some' is not built; expected 'full'"),
        ("quest(keep=0.2), schedule=some", "schedule = 'some' is not built; expected 'auto'"),
        ("hosts=0", "hosts = 0: expected a number of processes, at least 1"),
        ("hosts=many", "hosts"),
    ],
)
def test_a_value_of_an_axis_that_is_not_built_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(CodesampleError) as caught:
        Policy.parse(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"prefix": ""},
        {"prefix": "a b"},
        {"parameters": (("keep", float("inf")),)},
        {"parameters": (("keep", "two words"),)},
        {"parameters": (("keep", "true"),)},
        {"parameters": (("keep", 1), ("keep", 2))},
        {"prefill": "some"},
        {"hosts": 0},
    ],
)
def test_a_record_takes_only_what_can_be_written(arguments: dict) -> None:
    with pytest.raises(ParameterError):
        Policy(**arguments)


@pytest.fixture
def some_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two axes have a value that takes parameters, whatever is built."""
    axes = {**policy_module.AXES, "prefill": ("full", "half"), "schedule": ("auto", "by-tile")}
    monkeypatch.setattr(policy_module, "AXES", axes)


@pytest.mark.usefixtures("some_axes")
@pytest.mark.parametrize(
    ("text", "prefill", "schedule"),
    [
        ("prefill=half", ("half", ()), ("auto", ())),
        ("exact, prefill=half(b=2048, a=true)", ("half", (("a", True), ("b", 2048))), ("auto", ())),
        (
            "q(k=1), prefill=half(b=2), schedule=by-tile(t=64)",
            ("half", (("b", 2),)),
            ("by-tile", (("t", 64),)),
        ),
        ("schedule = by-tile ( t = 64 ) , prefill = half ( )", ("half", ()), ("by-tile", (("t", 64),))),
    ],
)
def test_every_axis_takes_parameters(text: str, prefill: tuple, schedule: tuple) -> None:
    read = Policy.parse(text)
    assert (read.chosen("prefill"), read.chosen("schedule")) == (prefill, schedule)
    assert Policy.parse(str(read)) == read
    assert not read.is_exact


@pytest.mark.usefixtures("some_axes")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prefill=full(budget=2)", "prefill = 'full' takes no parameters, got budget"),
        ("prefill=half(budget=2, budget=3)", "expected budget once"),
        ("prefill=half(budget)", "expected = behind budget"),
        ("prefill=half(budget=2", "expected a comma or a closing bracket"),
        ("prefill=quarter(budget=2)", "prefill = 'quarter' is not built; expected 'full' or 'half'"),
        ("hosts=1(budget=2)", "expected a comma or the end"),
        ("prefill=2", "expected a policy, got '2'"),
    ],
)
def test_parameters_of_an_axis_are_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Policy.parse(text)
    assert said in str(caught.value)


@pytest.mark.usefixtures("some_axes")
def test_a_record_holds_the_parameters_of_every_axis_in_one_order() -> None:
    made = Policy(prefill="half", prefill_parameters=(("b", 1), ("a", 2)))
    assert made == Policy.parse("prefill=half(a=2, b=1)")
    assert str(made) == "exact, prefill=half(a=2, b=1)"
    assert json.loads(json.dumps(asdict(made)))["prefill_parameters"] == [["a", 2], ["b", 1]]
    for wrong in ((("a", 1), ("a", 2)), (("a", float("nan")),), (("a b", 1),)):
        with pytest.raises(ParameterError, match="policy"):
            Policy(prefill="half", prefill_parameters=wrong)


def test_parameters_stand_in_one_order() -> None:
    assert Policy("q", (("b", 1), ("a", 2))) == Policy("q", (("a", 2), ("b", 1)))
    assert str(Policy("q", (("b", True), ("a", 2)))) == "q(a=2, b=true)"
    assert Policy().is_exact
    assert not Policy("quest").is_exact
