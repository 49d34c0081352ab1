"""How many tests and inputs are made for the rerankers that compare what programs do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from codesample.records import SamplingParams
from codesample.records.fields import check_settings, setting
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["SOURCES", "TestOptions", "said"]

SOURCES = ("examples", "varied", "typed", "tests")
"""Where inputs come from, in the order of the columns; see `TestOptions.inputs`."""


@validated
@dataclass(frozen=True, slots=True)
class TestOptions:
    """What is made for a problem when a reranker asks for tests or outputs.

    Attributes:
        test_samples: Texts that the model is asked for, per problem.
        asserts_per_sample: Asserts that are taken of each, the first ones.
        max_tests: Most asserts of one problem, the most often written ones.
        max_inputs: Most inputs of one problem that are made without a model.
        inputs: Sources of inputs, of `SOURCES`: the calls of the prompt's examples; variations of them;
            values of the types that the function takes, where there are no examples; what a model wrote.
        test_temperature: At which tests are sampled.
        test_seed: Settles which tests are drawn and how inputs vary; None takes the run's.

    Raises:
        ParameterError: a value outside its range.
    """

    # pytest would collect a class of this name
    __test__ = False

    test_samples: int = setting(
        10,
        "Texts with tests to sample per problem.",
        expected="an integer of at least 1",
        holds=lambda value: value >= 1,
    )
    asserts_per_sample: int = setting(
        5,
        "Asserts to take of each of them.",
        expected="an integer of at least 1",
        holds=lambda value: value >= 1,
    )
    max_tests: int = setting(
        100,
        "Most generated asserts per problem.",
        expected="an integer of at least 1",
        holds=lambda value: value >= 1,
    )
    max_inputs: int = setting(
        50,
        "Most inputs per problem that are made without a model.",
        expected="an integer of at least 0",
        holds=lambda value: value >= 0,
    )
    inputs: tuple[str, ...] = setting(
        SOURCES,
        "Where inputs come from: examples, varied, typed, tests; repeatable.",
        expected=f"some of {', '.join(SOURCES)}",
        holds=lambda value: set(value) <= set(SOURCES),
        metavar="SOURCE",
    )
    test_temperature: float = setting(
        0.8,
        "Temperature of the sampled tests.",
        expected="a number of at least 0",
        holds=lambda value: value == 0 or 1e-5 <= value < float("inf"),
    )
    test_seed: int | None = setting(
        None,
        "Settles tests and inputs; default: the run's seed.",
        expected="a 64-bit integer, or None",
        holds=lambda value: value is None or -(2**63) <= value < 2**63,
    )

    __repr__ = one_line

    def __post_init__(self) -> None:
        check_settings(self)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> TestOptions:
        """Return what a run recorded; what is not known here is left out, as of a later version.

        Raises:
            ParameterError: a value outside its range.
        """
        plain: dict[str, Any] = {each.name: said[each.name] for each in fields(cls) if each.name in said}
        if isinstance(plain.get("inputs"), list):
            plain["inputs"] = tuple(plain["inputs"])
        return cls(**plain)

    def params(self, *, max_new_tokens: int, stop: tuple[str, ...], seed: int) -> SamplingParams:
        """Return how the tests are sampled; the run's `seed` counts where these options say none."""
        return SamplingParams(
            temperature=self.test_temperature,
            max_new_tokens=max_new_tokens,
            stop=stop,
            seed=seed if self.test_seed is None else self.test_seed,
        )


def said(options: TestOptions) -> TestOptions | None:
    """Return options that say something, and None for those that leave everything as it is by default."""
    return None if options == TestOptions() else options
