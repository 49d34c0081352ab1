"""Runs commands in forks of itself, which have imported already what takes seconds: `SOCKET` its argument.

A message is {"words", "cwd"} with the three streams of the command; the answer is its exit status.
"""

from __future__ import annotations

import array
import atexit
import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

import torch
import transformers

import codesample.cli.app
import codesample.evaluation.evaluate
import codesample.sampling.sampler
from codesample.cli import main

# what transformers loads when it is first asked for
PRELOADED = (
    torch.nn,
    transformers.AutoModelForCausalLM,
    transformers.AutoTokenizer,
    transformers.PreTrainedModel,
    codesample.cli.app,
    codesample.evaluation.evaluate,
    codesample.sampling.sampler,
)

# rerankers are kept from calling it
end = os._exit


def serve(control: socket.socket) -> dict[str, object]:
    """Answer until the other end closes; returns a message in the fork that is to run it."""
    assert threading.active_count() == 1, threading.enumerate()
    while True:
        message, rights, _, _ = control.recvmsg(1 << 20, socket.CMSG_SPACE(3 * 4))
        if not message:
            os._exit(0)
        streams = array.array("i", rights[0][2])
        child = os.fork()
        if not child:
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            control.close()
            return json.loads(message)
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(child, 0)
        control.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())


def leave(run: Callable[[], None]) -> NoReturn:
    """End as an interpreter does, but for taking apart what was imported: as long as importing it."""
    status: object = None
    try:
        run()
    except SystemExit as left:
        status = left.code
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    if not isinstance(status, int | None):
        print(status, file=sys.stderr)
        status = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    end(status or 0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # a fork that found more would be told that it has lost them
    torch.set_num_threads(1)
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    os.chdir(str(asked["cwd"]))
    sys.argv = ["codesample", *asked["words"]]
    sys.path[0] = ""
    leave(main)
