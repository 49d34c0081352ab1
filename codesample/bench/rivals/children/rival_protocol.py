"""How a process that draws is asked: a JSON object a line, in and out. Runs in any environment by itself.

The first line out is `{"ready": {...}}` with facts, or `{"refused": reason}`. Then each line in is a call,
`{"prompt": [ids], "n": 32, "new": 18, "greedy": false, "seed": 0}`, and each line out an answer:
`{"tokens": [[ids], ...], "seconds": 4.2}`, or `{"refused": reason}`. It ends with its standard input.
"""

import json
import os
import sys
import time

__all__ = ["TEMPERATURE", "TOP_P", "serve"]

TEMPERATURE, TOP_P = 0.8, 0.95


def serve(load):
    """Load an engine and answer calls by it, until there are no more.

    Args:
        load: Called with the words behind the script's name; returns facts and a function. That is called
            with prompt ids, n, new, greedy and seed, and returns n lists of `new` ids each.
    """
    # what libraries print must not get among the answers
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer):
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        facts, draw = load(*sys.argv[1:])
    except Exception as error:
        say({"refused": _reason(error)})
        return
    say({"ready": facts})
    for line in sys.stdin:
        call = json.loads(line)
        begun = time.perf_counter()
        try:
            tokens = draw(call["prompt"], call["n"], call["new"], call["greedy"], call["seed"])
        except Exception as error:
            say({"refused": _reason(error)})
            continue
        say({"seconds": time.perf_counter() - begun, "tokens": [[int(id_) for id_ in row] for row in tokens]})


def _reason(error):
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
