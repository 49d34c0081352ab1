"""A distribution of another author adds one of each plug-in; both are installed from wheels."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fresh_install import CHECKERS, ROOT, ask, environment_with, finished, sources_in, wheel_of
from plugin_install import (
    ANSWERS,
    NAMES,
    PACKAGE,
    PLUGIN,
    WEAK,
    Command,
    beside,
    command_of,
    lines_of,
    refusal,
    results_of,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Wheels of codesample and of the plug-in."""
    place = tmp_path_factory.mktemp("wheels")
    for name, sources in (("codesample", ROOT), ("plugin", PLUGIN)):
        (place / name).mkdir()
        wheel_of(sources_in(place / f"{name}-sources", sources), place / name)
    (ours,), (theirs,) = (list((place / name).glob("*.whl")) for name in ("codesample", "plugin"))
    return ours, theirs


@pytest.fixture(scope="module")
def installed(wheels: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with both; its Python."""
    return environment_with([*wheels], tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside of the checkout."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def command(installed: Path, place: Path) -> Command:
    """Runs `codesample` as installed."""
    return command_of(installed, place)


@pytest.fixture(scope="module")
def evaluated(command: Command, place: Path) -> Path:
    """The folder of a run of the plug-in's task by its engine and its reranker."""
    words = ("eval", "warmup", "--model", "scripted:answers.json", "-r", "right_then_short", "--n", 4)
    command(*words, "--out", "run", *WEAK)
    return place / "run"


def test_the_wheel_holds_the_package_and_says_that_it_is_typed(wheels: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(wheels[1]) as opened:
        members = {name for name in opened.namelist() if ".dist-info/" not in name}
    modules = {f"{PACKAGE}/{name}.py" for name in ("__init__", "engine", "policy", "reranker", "task")}
    assert members == {*modules, f"{PACKAGE}/py.typed"}


@pytest.mark.parametrize("kind", NAMES)
def test_what_is_installed_is_listed_with_what_it_is(kind: str, command: Command) -> None:
    listed = json.loads(command("list", f"{kind}s", "--json").stdout)
    assert (
        listed[NAMES[kind]]
        == {
            "engine": "Gives answers from a file, in turn: `--model scripted:FILE.json`.",
            "task": "codesample-example",
            "reranker": "Prefer programs that get more of the prompt's examples right, then shorter ones.",
        }[kind]
    )
    assert len(listed) > 1


def test_the_policy_is_listed_and_prompts_are_read_by_it(command: Command, place: Path) -> None:
    listed = json.loads(command("list", "policies", "--json").stdout)
    assert listed["newest"].startswith("Read the last tokens of a prompt alone. Parameters: keep = 0.2, ")
    words = ("eval", "mini", "--n", 1, "--limit", 1, "--max-new-tokens", 8, "--out", "by-policy")
    command(*words, "--policy", "newest(keep=0.5, guard=8)", *WEAK)
    policy = results_of(place / "by-policy")["policy"]
    assert policy["policy"].startswith("newest(guard=8, keep=0.5, ")
    assert 0 < policy["tokens_kept"] < policy["tokens"]


def test_an_evaluation_gives_the_figures_that_the_answers_have(evaluated: Path) -> None:
    results = results_of(evaluated)
    assert (results["problems"], results["n"], results["samples"]) == (4, 4, 16)
    assert results["statuses"]["passed"] == 6
    assert "harness_error" not in results["statuses"]
    assert results["pass_at_k"]["1"]["value"] == pytest.approx((2 + 1 + 3 + 0) / 16)
    assert results["oracle"]["value"] == pytest.approx(3 / 4)
    # right for `total` and `add`
    (chosen,) = results["rerankers"].items()
    assert chosen[0] == "right_then_short"
    assert chosen[1]["best_of_n"]["value"] == pytest.approx(2 / 4)
    assert chosen[1]["gap_closed"]["value"] == pytest.approx((2 / 4 - 6 / 16) / (3 / 4 - 6 / 16))


@pytest.mark.parametrize(
    ("task_id", "index", "checks", "integrity"),
    [
        ("warmup/total", 0, [True, True, True], "split"),
        ("warmup/total", 1, [False, True, False], "split"),
        ("warmup/longest", 1, [False, False], "split"),
        ("warmup/add", 1, [True, True], "io"),
        ("warmup/add", 2, [False, True], "io"),
        ("warmup/words", 0, [True, False, True], "io"),
    ],
)
def test_functions_and_scripts_are_judged_check_by_check(
    task_id: str, index: int, checks: list[bool], integrity: str, evaluated: Path
) -> None:
    verdicts = {(each["task_id"], each["index"]): each for each in lines_of(evaluated / "verdicts.jsonl")}
    verdict = verdicts[task_id, index]
    assert (verdict["checks"], verdict["passed"]) == (checks, all(checks))
    assert verdict["integrity"] == integrity


def test_examples_of_functions_and_of_scripts_reach_the_reranker(evaluated: Path) -> None:
    held: dict[str, set[int]] = {}
    for line in lines_of(evaluated / "scores" / "right_then_short.jsonl"):
        if line["score"] >= 1:
            held.setdefault(line["task_id"], set()).add(line["index"])
    assert held == {
        "warmup/total": {0, 1, 2},
        "warmup/longest": {0, 1},
        "warmup/add": {0, 1, 3},
        "warmup/words": {1},
    }


def test_a_run_records_what_the_engine_states_and_its_report_shows_it(
    evaluated: Path, command: Command
) -> None:
    (session,) = json.loads((evaluated / "run.json").read_text())["sessions"]
    model = session["model"]
    assert model["name"] == "scripted:answers.json"
    assert model["file"] == str(evaluated.with_name("answers.json"))
    assert (model["abilities"], model["reproducibility"]) == (["logprobs"], "exact")
    assert results_of(evaluated)["engine"] == {"abilities": ["logprobs"], "reproducibility": "exact"}
    shown = command("report", evaluated).stdout
    assert "warmup, scripted:answers.json: 4 problems x 4, 16 samples" in shown
    assert re.search(r"  by right_then_short\W+0\.500\W", shown)
    assert "engine      exact: but for rounding no candidate depends on n, batch or resume" in shown


def test_a_resumed_run_keeps_its_candidates_and_refuses_other_answers(
    evaluated: Path, command: Command, place: Path
) -> None:
    run, answers = place / "resumed", place / "changing.json"
    words = ("eval", "warmup", "--model", "scripted:changing.json", "--out", run, *WEAK)
    answers.write_text(json.dumps(ANSWERS))
    command(*words, "--n", 1)
    command(*words, "--n", 4, "--resume")

    def written(folder: Path) -> list[Any]:
        lines = lines_of(folder / "samples.jsonl")
        return sorted(lines, key=lambda line: (line["task_id"], line["index"]))

    assert written(run) == written(evaluated)
    answers.write_text(json.dumps({**ANSWERS, "warmup/add": ["print(0)\n"]}))
    refused = command(*words, "--n", 5, "--resume", expect=2)
    assert "checkpoint is 'sha256:" in refused.stderr


def test_a_run_is_scored_again_by_its_and_our_rerankers(evaluated: Path, command: Command) -> None:
    run = shutil.copytree(evaluated, evaluated.with_name("again"))
    chain = "public_examples,right_then_short"
    command("rerank", run, "-r", "public_examples", "-r", "mean_logprob", "-r", chain, *WEAK)
    scored = results_of(run)["rerankers"]
    assert scored.keys() == {"right_then_short", "public_examples", "mean_logprob", chain}
    by_examples = (2 / 3 + 1 / 2 + 1 + 0) / 4
    assert scored["public_examples"]["best_of_n"]["value"] == pytest.approx(by_examples)
    assert _timeless(scored[chain]) == _timeless(scored["right_then_short"])


def test_the_references_of_the_task_pass(command: Command) -> None:
    verified = command("tasks", "verify", "warmup", *WEAK).stdout
    passed, judged, content = verified.splitlines()
    assert (passed, judged) == ("warmup: 4 of 4 reference solutions pass", "judged: 2 io, 2 split")
    assert content.startswith("content: sha256 ")


def test_the_library_gives_what_the_command_gives(evaluated: Path, installed: Path, place: Path) -> None:
    code = """
from pathlib import Path
from codesample import RunOptions, SamplingParams, evaluate
report = evaluate(
    "warmup",
    model="scripted:answers.json",
    n=4,
    params=SamplingParams(),
    rerankers=["right_then_short"],
    run=RunOptions(out=Path("by_library"), allow_weak_isolation="none"),
)
answer = report.as_json()
"""
    # what the machine was like, and which verdicts it had kept by then
    times = ("seconds", "tokens_per_second", "health", "recalled")
    by_library, by_command = (
        {key: value for key, value in results.items() if key not in times}
        for results in (ask(installed, code, cwd=place), results_of(evaluated))
    )
    for results in (by_library, by_command):
        results["rerankers"] = {name: _timeless(each) for name, each in results["rerankers"].items()}
    assert by_library == by_command


def _timeless(chosen: dict[str, Any]) -> dict[str, Any]:
    """Leave out how long scoring took."""
    cost = {key: value for key, value in chosen["cost"].items() if key != "seconds"}
    return chosen | {"cost": cost}


def test_nothing_of_this_loads_torch(installed: Path, place: Path) -> None:
    code = """
import sys
from codesample import ModelOptions, Request, SamplingParams
from codesample.engines.registry import open_engine
from codesample.rerankers.registry import load_reranker
from codesample.tasks.registry import load_task
engine, task = open_engine(ModelOptions("scripted:answers.json")), load_task("warmup")
requests = [Request(each.task_id, each.prompt, (0,)) for each in task.problems()]
drawn = list(engine.stream(requests, SamplingParams()))
load_reranker("right_then_short")
heavy = sorted({"torch", "transformers"} & set(sys.modules))
answer = [len(drawn), heavy, sys.modules["codesample_example"].__file__]
"""
    count, heavy, file = ask(installed, code, cwd=place)
    assert (count, heavy) == (4, [])
    assert Path(file).is_relative_to(installed.parents[1])


def test_the_conformance_kits_pass_for_all_of_them(installed: Path, place: Path) -> None:
    script = shutil.copy(PLUGIN / "conformance.py", place)
    said = finished([installed, script], cwd=place).stdout.splitlines()
    assert said[:2] == ["warmup: conforms", "scripted: conforms to 11 checks"]
    assert re.fullmatch(r"right_then_short: conforms, [1-9]\d* programs run", said[2])
    assert said[3:] == ["right_then_short: keeps 13 promises", "newest: conforms"]


@pytest.mark.parametrize("where", [(), ("--run", "run")])
def test_the_command_finds_the_reranker_sound(
    where: tuple[str, ...], command: Command, evaluated: Path
) -> None:
    (found,) = json.loads(command("rerankers", "check", "right_then_short", *where, "--json", *WEAK).stdout)
    assert [each["name"] for each in found["tried"] if each["left_out"] or each["broken"]] == []
    assert (found["reranker"], found["conforms"], len(found["tried"])) == ("right_then_short", True, 13)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--model", "scriptd:answers.json"), "unknown engine 'scriptd'; did you mean 'scripted'?"),
        (
            ("--model", "scripted:answers.json", "--dtype", "float16"),
            "dtype = 'float16': the engine 'scripted' does not know this option; leave it out",
        ),
        (
            ("--model", "scripted:answers.json", "--revision", "v2"),
            "revision = 'v2': the engine 'scripted' does not know this option; leave it out",
        ),
        (("--model", "scripted:absent.json"), "absent.json: holds no answers by task id: [Errno 2]"),
        (("-r", "right_then_shot"), "unknown reranker 'right_then_shot'; did you mean 'right_then_short'?"),
        (("--data", "x.jsonl"), "task 'warmup' reads no data file (x.jsonl given); leave it out"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    words: tuple[str, ...], complaint: str, command: Command, place: Path
) -> None:
    done = command("eval", "warmup", *words, "--n", 1, "--out", "refused", *WEAK, expect=2)
    assert complaint in refusal(done)
    assert not (place / "refused").exists()


def test_a_parameter_that_the_engine_cannot_honour_is_refused_before_any_candidate(
    command: Command, place: Path
) -> None:
    words = ("eval", "warmup", "--model", "scripted:answers.json", "--temperature", 0, "--n", 1)
    done = command(*words, "--out", "hot", *WEAK, expect=2)
    assert "temperature = 0.0: answers are given in turn; leave it out" in done.stderr
    assert not (place / "hot").exists()


@pytest.fixture(scope="module")
def with_torn(tmp_path_factory: pytest.TempPathFactory, wheels: tuple[Path, Path]) -> Command:
    """Beside the plug-in, a distribution that cannot be imported."""
    points = dict.fromkeys(NAMES, "torn")
    source = "import a_module_that_is_nowhere\n"
    return beside(tmp_path_factory, wheels, "torn", name="their-torn-plugin", points=points, source=source)


@pytest.mark.parametrize("kind", NAMES)
def test_a_plug_in_that_cannot_be_imported_is_named_with_its_distribution(
    kind: str, with_torn: Command
) -> None:
    listed = json.loads(with_torn("list", f"{kind}s", "--json").stdout)
    said = (
        f"{kind} 'torn' (their_torn_plugin:{kind}, installed by their-torn-plugin) could not be loaded: "
        "ModuleNotFoundError: No module named 'a_module_that_is_nowhere'"
    )
    assert listed["torn"] == f"cannot be loaded: {said}"
    assert not [text for name, text in listed.items() if name != "torn" and "cannot be loaded" in text]
    words = {
        "engine": ("warmup", "--model", "torn:x"),
        "task": ("torn",),
        "reranker": ("warmup", "-r", "torn"),
    }
    done = with_torn("eval", *words[kind], "--n", 1, *WEAK, expect=2)
    assert refusal(done) == f"error: {said}"


def test_a_plug_in_that_cannot_be_imported_costs_nobody_else(with_torn: Command) -> None:
    words = ("eval", "warmup", "--model", "scripted:answers.json", "-r", "right_then_short", "--n", 4)
    results = json.loads(with_torn(*words, "--json", *WEAK).stdout)
    assert results["rerankers"]["right_then_short"]["best_of_n"]["value"] == pytest.approx(2 / 4)


@pytest.fixture(scope="module")
def with_rival(tmp_path_factory: pytest.TempPathFactory, wheels: tuple[Path, Path]) -> Command:
    """Beside the plug-in, a distribution that claims its names."""
    return beside(tmp_path_factory, wheels, "rival", name="their-rival", points=NAMES, source="")


@pytest.mark.parametrize("kind", NAMES)
def test_two_distributions_with_one_name_are_refused_by_name(kind: str, with_rival: Command) -> None:
    line = refusal(with_rival("list", f"{kind}s", expect=2))
    assert f"two installed {kind}s are called {NAMES[kind]!r}: " in line
    assert f"their_rival:{kind}" in line
    assert f"{PACKAGE}.{kind}:" in line
    assert "their-rival" in line
    words = ("eval", "warmup", "--model", "scripted:answers.json", "-r", "right_then_short", "--n", 1)
    assert "two installed" in refusal(with_rival(*words, *WEAK, expect=2))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the type checker has learnt of the libraries, for all tests of this session."""
    return tmp_path_factory.getbasetemp() / "types"


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_plug_in_is_typed_against_the_installed_package(
    checker: str, installed: Path, cache: Path, tmp_path: Path
) -> None:
    sources = sources_in(tmp_path / "plugin", PLUGIN)
    assert CHECKERS[checker](installed, sources, cache) == set()
    engine = sources / PACKAGE / "engine.py"
    engine.write_text(engine.read_text().replace("return Scripted(Path(rest))", "return Path(rest)"))
    (line,) = (
        number for number, text in enumerate(engine.read_text().splitlines(), 1) if "return Path" in text
    )
    assert CHECKERS[checker](installed, sources, cache) == {("engine.py", line)}
