"""Problems of LiveCodeBench that its authors know to be judged wrongly, as their list of errata has them."""

from __future__ import annotations

__all__ = ["ERRATA"]

_SEVERAL = "several outputs are right, and the tests accept one"
_TALKS = "the program has to talk with its judge, which the tests do not"
_WRONG = "its tests were damaged when they were collected"

ERRATA = {
    **dict.fromkeys(
        (
            "abc311_c",
            "abc326_d",
            "abc327_b",
            "abc333_e",
            "abc343_e",
            "abc362_c",
            "find-words-containing-character",
            "find-the-peaks",
            "generate-binary-strings-without-adjacent-zeros",
        ),
        _SEVERAL,
    ),
    **dict.fromkeys(("abc337_e", "abc355_e"), _TALKS),
    "abc350_c": _WRONG,
}
"""By question id, or for problems of LeetCode by title."""
