"""Finds the engine that a model's name asks for, and opens it.

Engines come from the entry-point group `codesample.engines`, the native sampler too. Listing imports none.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from codesample.engines.contract import Engine, OpenEngine
from codesample.engines.model_options import ModelOptions
from codesample.errors import CodesampleError, ModelError
from codesample.plugins import PluginKind
from codesample.records.policy import EXACT

__all__ = ["ENGINES", "NATIVE", "ModelName", "checked_engine", "expect_engine", "open_engine", "split_model"]

NATIVE = "native"
"""The engine of models whose name says no other."""

ENGINES = PluginKind(
    kind="engine",
    group="codesample.engines",
    error=ModelError,
    hint="List them: codesample list engines; a folder whose name holds a colon: ./NAME",
)

# no folder with a path before its name, and no hub id, has a colon before its first slash
_SCHEME = re.compile(r"([^/:.~][^/:]*):(.*)", re.DOTALL)


class ModelName(NamedTuple):
    """Which engine a model's name asks for, and what that engine is to open."""

    engine: str
    rest: str


def split_model(options: ModelOptions) -> ModelName:
    """Read NAME:REST; a name without such a start, or of a folder that is there, is the native engine's.

    Raises:
        ModelError: what the name leads to cannot be looked at, or there is nothing behind the colon.
    """
    found = _SCHEME.fullmatch(options.model)
    if found is None or options.folder is not None:
        return ModelName(NATIVE, options.model)
    if not found[2]:
        raise ModelError(f"model {options.model!r}: names the engine {found[1]!r} and no model for it")
    return ModelName(found[1], found[2])


def expect_engine(options: ModelOptions) -> None:
    """Refuse a model whose engine or policy is not installed; imports nothing but the policy.

    Raises:
        UnknownNameError: no engine of that name; suggests a near one.
        ModelError: two distributions claim one name, or as `split_model`.
        PolicyError: a policy that cannot be loaded.
        ParameterError: a server's option for a model that is loaded here, or a parameter that the policy does
            not take.
    """
    name = split_model(options).engine
    ENGINES.expect(name)
    if name == NATIVE:
        options.expect_loaded_here()
        if options.policy != EXACT:
            from codesample.policies.registry import expect_policy

            expect_policy(options.policy)


def open_engine(options: ModelOptions) -> Engine:
    """Open the engine that `options.model` names; the only slow step of a run's preparation.

    Raises:
        UnknownNameError: no such engine, or no such model.
        HubUnavailableError: the model is not on this machine and the hub cannot be reached.
        ModelError: the checkpoint is broken or does not fit into memory, or what the plug-in opened is no
            engine; names what it lacks.
        ParameterError: an option that the engine does not know.
    """
    name, rest = split_model(options)
    opener: OpenEngine = ENGINES.load(name)
    if not callable(opener):
        raise ModelError(f"engine {name!r} is {type(opener).__name__}, expected a function that opens one")
    try:
        opened = opener(rest, options)
    except CodesampleError:
        raise
    except Exception as error:
        raise ModelError(
            f"engine {name!r} could not open {rest!r}: {type(error).__name__}: {error}"
        ) from error
    return checked_engine(opened, f"engine {name!r} opened")


def checked_engine(opened: object, what: str) -> Engine:
    """Return an engine as it is.

    Raises:
        ModelError: it is none; `what` says where it came from, and the message what it lacks.
    """
    if isinstance(opened, Engine):
        return opened
    lacks = [each for each in _PROMISED if getattr(opened, each, None) is None]
    raise ModelError(f"{what} {type(opened).__name__}, which lacks {', '.join(lacks)}")


_PROMISED = ("name", "abilities", "reproducibility", "stream", "describe")
