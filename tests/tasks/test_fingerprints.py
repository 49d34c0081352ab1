"""Fingerprints stand in run folders, so what 0.1.0 gave for some data must be given for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesample.records import CodeTests, InputTests, Problem, ScriptExample, ScriptTests, Tests
from codesample.tasks.contract import Task, completion_alone, prompt_then_completion
from codesample.tasks.registry import load_task, load_task_file

PUBLISHED = {
    "humaneval": ("HumanEval.jsonl.gz", "239dad72c91399939004095d17e88ed8a442d0bd25d8a5aa2b139bafaca53a6d"),
    "humaneval_plus": (
        "HumanEvalPlus.jsonl.gz",
        "e10887c12ff7cd1639f6c54b5142e890036d4098502772f438b4623228bd655a",
    ),
    "mbpp": ("mbpp.jsonl", "00e80b502254e6ba88c6e03f31cda17a7601ba4fd2dced2d34e25a1c9bf069e7"),
    "mbpp_zero_shot": (
        "mbpp.jsonl",
        "e4f940a0f0e62df62fc558d312f7b7f382a74664ce6d708f159668478b6613d4",
    ),
    "mbpp_sanitized_zero_shot": (
        "sanitized-mbpp.json",
        "ce052b6094058ce5d5d7e4789280ba3973e268707445dc76d525fd35801e843c",
    ),
    "mbpp_plus": ("MbppPlus.jsonl.gz", "ded161cec5ecb2a6fc48c0b5ed22cbaaa80d2b99c5d78b90231ec57b8f7eab7c"),
    "mbpp_sanitized": (
        "sanitized-mbpp.json",
        "45e191493636d4ac324c75d5ae47249cfbba7706e21b4e6452b432df0c6c7401",
    ),
}
ROW = {"task_id": "mine/0", "prompt": "def f(x):\n    '''f(1) == 2'''\n", "test": "assert f(1) == 2"}
CHECK = "def check(candidate):\n    assert candidate(1) == 2\n"
CASES = [{"input": "1 2\n", "output": "3"}, {"input": "", "output": ""}]
SCRIPT = {"task_id": "mine/0", "prompt": "Add.", "completion": "is_program", "io": CASES}
IMPORTS = ["numpy", "scipy.special"]
IN_ONE_FILE = [
    ROW,
    {**ROW, "task_id": "mine/1", "in_process": True},
    {"task_id": "mine/2", "prompt": "Add.", "io": CASES},
]


def test_of_the_embedded_problems() -> None:
    pinned = "5c7ce8e89feb371cac47b5bc0a5d9f57787d229523121f0a836ec375c4623e2b"
    assert load_task("mini").fingerprint() == pinned


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@pytest.mark.parametrize("name", PUBLISHED)
def test_of_published_data(name: str, published: Callable[[str], Path]) -> None:
    file, pinned = PUBLISHED[name]
    assert load_task(name, data=published(file)).fingerprint() == pinned


@pytest.mark.parametrize(
    ("rows", "pinned"),
    [
        ([ROW], "a2b1455b734c05b2735fef896d771147e7abce51f874f586f41b939fff0a4326"),
        (
            [{**ROW, "prompt": "import math\n\n" + ROW["prompt"], "entry_point": "f"}],
            "7e5967443bfb36bd5f40f026d9c1519465284e3641ba598b6e735124540aa436",
        ),
        (
            [{**ROW, "entry_point": "f", "test": CHECK}],
            "d1a08c1cc9470fd6cd94f9f058eae61f9ddd4073e389d3ebce296166f916d4f5",
        ),
        ([{**ROW, "in_process": True}], "adcec2d436747b5f911e61fa7f64c79f16d27901f2c5c526ddcbae0cfcc552d9"),
        (
            [{**ROW, "entry_point": "f", "test": CHECK, "in_process": True}],
            "a1728564d1fa6230bb0a1f3c5c628cd5a3c30bfb845662e310768e1606ae8327",
        ),
        (
            [{**ROW, "time_limit": 2, "memory_mib": 64, "imports": IMPORTS}],
            "8663ae8c5345ae347ac7f9ad9069d60ac89cae612e2e8673acb671f641e49bfb",
        ),
        (
            [{**ROW, "prompt": "Write f.", "entry_point": "f", "completion": "is_program", "stop": ["```"]}],
            "aae029ce8359189964ed1c5d6bddbd302ffb5673293defe3143f89dc3edf2170",
        ),
        (
            [{**ROW, "entry_point": "f", "examples": [{"call": "f(3)", "expected": "4"}]}],
            "94416ec8bbcb4ab6ab9c11f89c57440be0e501043f34cbf159becba5999c970b",
        ),
        ([SCRIPT], "aa154ec7e0854066885bd0af8bbb8a6ccb33b154e6f1584bb6e43bf22f152f27"),
        (
            [{**SCRIPT, "completion": "continues_prompt"}],
            "350b8626583e9216f1bd0a59e01806894a6691541f02300ceacf80e0226ca160",
        ),
        (
            [{**SCRIPT, "entry_point": "f"}],
            "aa154ec7e0854066885bd0af8bbb8a6ccb33b154e6f1584bb6e43bf22f152f27",
        ),
        (
            [{**SCRIPT, "time_limit": 1, "memory_mib": 64, "imports": ["numpy"]}],
            "c1f3d952fcd6c19703a2ba215d01f0554121952dedb189a8bba94940c1a1f574",
        ),
        (
            [{**SCRIPT, "atol": 0, "rtol": 0.0}],
            "aa154ec7e0854066885bd0af8bbb8a6ccb33b154e6f1584bb6e43bf22f152f27",
        ),
        (
            [{**SCRIPT, "atol": 1e-6, "rtol": 0.5}],
            "ec47ea13c2efb4763de8d9fec547ccc9ea6889501e597cacb5e3fe8dd578ac98",
        ),
        (
            [{**SCRIPT, "checker": "def accept(i, o, e): return True"}],
            "5e4ac0456074f392445f176641d847c0766c4d8f47833d5449e9d250e8cfa1ed",
        ),
        (
            [{**ROW, "test": "assert f(1) == 2 # \ud800\u2028\n", "canonical_solution": "    return 2\n"}],
            "897808c6a5d0f3c92be557e2d2cee9eed8b12b74c269e2374557b2061d6a76fb",
        ),
        (IN_ONE_FILE, "d5fcf82d470b2147282efa8a20ad63fd433dc28598ee29aea03ac1bd70102736"),
    ],
)
def test_of_user_files_of_every_form(tmp_path: Path, rows: list[dict[str, Any]], pinned: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert load_task_file(path).fingerprint() == pinned


@pytest.mark.parametrize(
    ("tests", "assemble", "pinned"),
    [
        (
            CodeTests(checks=("assert f(1)",)),
            prompt_then_completion,
            "1d212924e8912c7e22b2f6770dfe0ea991c42e348dede2e07a7d93ab80ffde24",
        ),
        (
            CodeTests(
                source="x = 1\n",
                checks=("assert f(1)", "assert f(2)"),
                entry_point="f",
                stub="import sys\n",
                mode="in_process",
                time_limit=1.5,
                memory=1 << 20,
                imports=("numpy", "scipy.special"),
            ),
            completion_alone,
            "6522d33ac47adb1bc260eddfef44af7ddd7651561c20436c9a79813846ea18bb",
        ),
        (
            InputTests(
                inputs=((1, 2.5), ([None, {"k": (1,)}],)), reference="def f(*x): return x", entry_point="f"
            ),
            prompt_then_completion,
            "07f34c4284a33bde9367da7b7cc2b96463d51a20cc8201253bf30943dbea8412",
        ),
        (
            InputTests(
                inputs=((1,),),
                reference="def f(x): return x",
                entry_point="f",
                atol=1e-6,
                oracle="def accept(a, r, e): return True",
                time_limit=20.0,
                memory=1 << 20,
                imports=("numpy",),
            ),
            prompt_then_completion,
            "1f23af0547e64fca5c5c0ab255aafb38675e9dfec880999cdad4ede2cbd6a625",
        ),
        (
            ScriptTests(
                cases=(ScriptExample("1", "2"), ScriptExample("3", "\ud800")),
                time_limit=1.5,
                memory=1 << 20,
                imports=("numpy",),
            ),
            completion_alone,
            "39bb36c2cfb831cb0a913dc54c910d6fe19c64b631eb018a291056333925fc2c",
        ),
    ],
)
def test_of_every_kind_of_tests(tests: Tests, assemble: Callable[[Problem, str], str], pinned: str) -> None:
    problem = Problem(task_id="a/1", prompt="Do.", tests=tests)
    task = Task("t", "1", "s", (), 8, load=lambda: [problem], assemble=assemble)
    assert task.fingerprint() == pinned
