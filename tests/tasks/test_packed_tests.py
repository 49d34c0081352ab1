from __future__ import annotations

import base64
import json
import pickle
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.tasks.livecodebench.packed_tests import unpacked_text

PROTOCOLS = range(1, pickle.HIGHEST_PROTOCOL + 1)


def packed(value: object, protocol: int = pickle.DEFAULT_PROTOCOL) -> str:
    return in_base_64(pickle.dumps(value, protocol=protocol))


def in_base_64(pickled: bytes) -> str:
    return base64.b64encode(zlib.compress(pickled)).decode()


class Touching:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "text", ["", "[]", "é\U0001f600", "\ud800", "x" * 255, "x" * 256, "y" * 70_000, "é" * 40_000]
)
def test_a_text_comes_out_as_it_went_in(text: str, protocol: int) -> None:
    assert unpacked_text(packed(text, protocol)) == text


@given(st.text(), st.sampled_from(PROTOCOLS))
@settings(max_examples=200)
def test_any_text_does(text: str, protocol: int) -> None:
    assert unpacked_text(packed(text, protocol)) == text


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_could_run_is_refused_and_does_not(tmp_path: Path, protocol: int) -> None:
    made = tmp_path / "made"
    for value in (Touching(made), [Touching(made)], ("[]", Touching(made))):
        with pytest.raises(ValueError, match="only that of one text is read"):
            unpacked_text(packed(value, protocol))
    assert not made.exists()
    # the stand-in does what it is here for
    pickle.loads(pickle.dumps(Touching(made), protocol))
    assert made.exists()


@pytest.mark.parametrize("value", [None, 3, b"[]", ["[]"], ("[]",), {"a": "[]"}, 2.5, True])
def test_other_values_than_a_text_are_refused(value: object) -> None:
    for protocol in PROTOCOLS:
        with pytest.raises(ValueError, match=r"holds operation 0x\w\w at byte \d"):
            unpacked_text(packed(value, protocol))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("not base 64!", "are not base 64"),
        ("é", "are not base 64"),
        (base64.b64encode(b"plain").decode(), "not compressed by zlib"),
        (in_base_64(b""), "is cut off"),
        (in_base_64(b"\x80\x04"), "is cut off"),
        (in_base_64(b"\x80\x04\x8c\x05ab."), "is cut off"),
        (in_base_64(b"\x80\x04\x8d" + b"\xff" * 8), "is cut off"),
        (in_base_64(b"\x80\x09\x8c\x01a."), "protocol 9"),
        (in_base_64(b"\x80\x04\x8c\x01\xff."), "not UTF-8"),
        (in_base_64(b"\x80\x04."), "operation 0x2e at byte 2"),
        (in_base_64(b"\x8c\x01a\x8c\x01b."), "operation 0x8c at byte 3"),
        (in_base_64(b"\x8c\x01a\x80\x04."), "operation 0x80 at byte 3"),
        (in_base_64(b"\x94\x8c\x01a."), "operation 0x94 at byte 0"),
        (in_base_64(pickle.dumps("a") + b"x"), "1 bytes follow the pickle"),
        (base64.b64encode(zlib.compress(pickle.dumps("a")) + b"xy").decode(), "2 bytes follow"),
        (base64.b64encode(zlib.compress(pickle.dumps("a" * 999))[:-6]).decode(), "are cut off"),
        (in_base_64(b"cos\nsystem\n(S'true'\ntR."), "operation 0x63 at byte 0"),
    ],
)
def test_what_is_malformed_says_how(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        unpacked_text(text)


def test_a_small_file_cannot_ask_for_much_memory() -> None:
    bomb = packed("0" * 50_000_000)
    assert len(bomb) < 100_000
    with pytest.raises(ValueError, match="more than 1000000 bytes"):
        unpacked_text(bomb, most=1_000_000)
    assert len(unpacked_text(packed("0" * 999_000), most=1_000_000)) == 999_000


@given(st.binary(max_size=40), st.booleans())
@settings(max_examples=500)
def test_whatever_the_bytes_there_is_a_text_or_a_complaint(content: bytes, begun: bool) -> None:
    pickled = (b"\x80\x04\x95\x06\0\0\0\0\0\0\0\x8c\x02[]" if begun else b"") + content
    try:
        text = unpacked_text(in_base_64(pickled))
    except ValueError:
        return
    assert isinstance(text, str)
    # frames that end elsewhere are more than is needed
    with suppress(pickle.UnpicklingError):
        assert pickle.loads(pickled) == text


def test_json_survives(tmp_path: Path) -> None:
    tests = [{"input": "1 2\n", "output": "3\u2028", "testtype": "stdin"}]
    assert json.loads(unpacked_text(packed(json.dumps(tests)))) == tests
