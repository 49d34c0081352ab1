"""Writes the table in docs/engines.md from the probes in docs/probes/.

    python docs/write_engines.py

A probe's file holds `server`, `model`, `origin` ("recorded" or "documented"), `date` and `facts`, which of a
recorded one are `ServerEngine.facts` to the letter.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "engines.md"
PROBES = ROOT / "docs" / "probes"
BEGIN, END = "<!-- begin table -->\n", "<!-- end table -->"
COLUMNS = ("choices", "logprobs", "token_ids", "seed", "temperature", "stop", "unknown_fields")
HEADS = (
    *("server", "model", "asked by", "`n`", "log-probabilities", "token ids", "seed", "temperature"),
    *("stops", "unknown fields", "how it is known"),
)


def probes() -> list[dict[str, Any]]:
    """Return all probes, recorded ones first."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(PROBES.glob("*.json"))]
    rows = [row for each in found for row in (each if isinstance(each, list) else [each])]
    return sorted(rows, key=lambda row: (row["origin"] != "recorded", row["server"]))


def with_table(page: str, rows: list[dict[str, Any]]) -> str:
    """Return the page with the table of these probes between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = [HEADS, ("---",) * len(HEADS), *map(_cells, rows)]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"{before}{BEGIN}{table}{END}{after}"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    facts = row["facts"]
    known = {True: "given", False: "not given", None: "?"}
    values = (facts.get(name) for name in COLUMNS)
    said = [known.get(value, value) if not isinstance(value, str) else value for value in values]
    origin = f"recorded {row['date']}" if row["origin"] == "recorded" else "documented"
    return (row["server"], row["model"], facts["api"], *said, origin)


def main() -> None:
    """Write the page."""
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), probes()), encoding="utf-8")


if __name__ == "__main__":
    main()
