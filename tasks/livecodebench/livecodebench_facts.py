"""What the page of all tasks says of LiveCodeBench."""

from __future__ import annotations

from codesample.tasks.facts import TaskFacts

__all__ = ["livecodebench_facts"]

_RELEASES = {
    1: ("400", "March 2024"),
    2: ("511", "May 2024"),
    3: ("612", "July 2024"),
    4: ("713", "September 2024"),
    5: ("880", "January 2025"),
    6: ("1,055", "April 2025"),
}


def livecodebench_facts(release: int, files: tuple[str, ...]) -> TaskFacts:
    """Return the facts of a release, which is made of the published `files`."""
    count, last = _RELEASES[release]
    return TaskFacts(
        summary=f"Contest problems from May 2023 to {last}: a program that reads and prints, or a method.",
        # those that nothing can be judged by are left out, by name
        problems=None,
        split=f"release_v{release}, {count} published, or all of a file",
        hub_id=f"livecodebench/code_generation_lite, {files[0]} to {files[-1]}",
        files=(files[0],),
        licence="see the data set's card",
        prompt="A worked example, then `### Question`, `### Starter Code`, `### Answer`.",
        tests="Private inputs or calls with outputs; the public ones are examples.",
        traps=(
            "Private tests are pickled and compressed: no pickle is loaded, and what holds more than a "
            "text is refused.",
            "Twelve problems are known to be judged wrongly; they are marked `erratum`.",
            "No references are published.",
            "A model may have seen problems of contests before its training ended: choose dates.",
        ),
        limits=("6 CPU seconds for each input or call, 1 GiB.",),
    )
