"""Every error the toolkit raises on purpose, as one tree.

A message says what was got, what was expected and what to do next. The command line prints the
message alone and exits with code 2; a traceback therefore always means a mistake of our own.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "CallEndedError",
    "CodesampleError",
    "DataError",
    "DeadlineError",
    "ExecutionError",
    "HubUnavailableError",
    "ImplUnavailableError",
    "IsolationError",
    "MetricError",
    "ModelError",
    "OutputError",
    "ParameterError",
    "PolicyError",
    "RerankerError",
    "RunFolderError",
    "ServiceBusyError",
    "ServiceClosedError",
    "ShapeError",
    "StreamCancelledError",
    "TaskError",
    "UnknownNameError",
    "UnreadableTextError",
    "WrongTypeError",
]


class CodesampleError(Exception):
    """Base of all errors below; catch it to catch whatever codesample refuses."""


class ParameterError(CodesampleError, ValueError):
    """A parameter lies outside its range, or two parameters contradict each other."""


class WrongTypeError(ParameterError, TypeError):
    """An argument is of another type than the call takes, is unknown to it, or is missing."""


class UnreadableTextError(ParameterError):
    """A text that a model cannot be given: more tokens than it takes, or what no tokenizer takes."""


class ShapeError(ParameterError):
    """Tensor shapes disagree; the message names both."""


class MetricError(ParameterError):
    """A metric is not defined for this input, such as pass@k with k above the number of samples."""


class UnknownNameError(CodesampleError, LookupError):
    """A task, reranker or model of that name does not exist; near names are suggested."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        # zygotes import this module, and every page they hold is paid for again at each fork
        import difflib

        self.kind, self.name = kind, name
        names = list(known)
        # one that differs by its case alone is meant, however short
        near = [each for each in names if each.lower() == name.lower()][:1]
        near = near or difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        parts = [f"unknown {kind} {name!r}"]
        if near:
            parts.append(f"did you mean {near[0]!r}?")
        super().__init__("; ".join(parts) + (f" {hint}" if near else f". {hint}" if hint else ""))


class DataError(CodesampleError):
    """A data file is missing, malformed or holds an unexpected entry; names the file and the line."""


class TaskError(CodesampleError):
    """A task could not be loaded, or broke its contract."""


class HubUnavailableError(CodesampleError):
    """A model or data set is not on this machine and the hub could not be reached."""


class ModelError(CodesampleError):
    """A checkpoint could not be loaded or does not fit."""


class ImplUnavailableError(CodesampleError):
    """A named kernel implementation cannot serve this device, dtype or shape."""


class PolicyError(CodesampleError):
    """A policy of which keys are read could not be loaded, or broke its contract."""


class RunFolderError(CodesampleError):
    """A run folder cannot be written, read or resumed."""


class OutputError(CodesampleError):
    """What a command has to say cannot be written to standard output."""


class ExecutionError(CodesampleError):
    """The harness itself failed while running programs; never a statement about a program."""


class IsolationError(ExecutionError):
    """Less isolation is granted here than the run asks for; names the remedy."""


class RerankerError(CodesampleError):
    """A reranker could not be loaded, lacks what it needs, or broke its contract.

    Attributes:
        candidates: What `best_of_n` had drawn by then.
        told: Whether the message names the reranker and the problem.
    """

    candidates: tuple[object, ...] = ()
    told: bool = False


class CallEndedError(CodesampleError):
    """A call to a service ended before all of its candidates were drawn.

    Attributes:
        candidates: What had finished by then (`Candidate`s), taken by the caller or not.
    """

    candidates: tuple[object, ...] = ()


class DeadlineError(CallEndedError, TimeoutError):
    """The call's deadline has passed."""


class StreamCancelledError(CallEndedError):
    """The caller has left the stream, or cancelled it."""


class ServiceClosedError(CallEndedError):
    """The service is closed, or its model failed; the message says why."""


class ServiceBusyError(CallEndedError):
    """As many calls wait for the service as may, and this one was not taken in."""
