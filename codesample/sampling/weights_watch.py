"""Notices that a model is no longer what it was: its weights, adapters, hooks, modules or configuration.

Torch counts the writes to a tensor and knows its storage, so an edit that goes through torch is noticed
however small it is. What is written through `.data`, or behind torch's back, is counted nowhere. Of each
weight some numbers are kept and compared: of a matrix at least one per row and one per column, up to a
thousand. So a few numbers written that way can change unseen, and so can weights that a library keeps
outside of the model until it needs them.
"""

from __future__ import annotations

import dataclasses
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from itertools import chain
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from transformers import PreTrainedConfig, PreTrainedModel

from codesample.sampling.attention_hook import NAME
from codesample.sampling.packed_weights import is_packed
from codesample.sampling.weight_numbers import WeightNumbers, has_storage

__all__ = ["STATE_KEY", "Change", "WeightsWatch"]

STATE_KEY = "_codesample_state"
"""Attribute of a model that belongs to this toolkit and is no part of what the model computes."""

# what is longer or deeper is no setting
_MOST_ENTRIES, _DEPTH = 4096, 4
_CONTENTS = ("_parameters", "_buffers", "_modules")
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
# all else that torch keeps of a module is for gradients and state dicts
_TORCHS = frozenset(nn.Module().__dict__)
_GLOBAL_HOOKS = (torch_module._global_forward_hooks, torch_module._global_forward_pre_hooks)
# set and put back around calls, or without a say in what a model computes in evaluation mode
_IGNORED = frozenset(
    {"training", "gradient_checkpointing", "_gradient_checkpointing_func", "generation_config", STATE_KEY}
)
_ATTENTION = "_attn_implementation_internal"


class Change(IntEnum):
    """What has changed of a model: nothing, its numbers alone, or also what is done with them."""

    NONE = 0
    WEIGHTS = 1
    BEHAVIOUR = 2


class WeightsWatch:
    """Compares a model with what it was at the last look.

    Args:
        model: Any. It is not kept alive.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = weakref.ref(model)
        self._remember(_Snapshot(model, {}))

    def same(self, *, thorough: bool) -> bool:
        """Whether all is certainly as it was; False also where something was set to what it was before.

        Args:
            thorough: Compare the code of modules too, and the kept numbers of each weight, which waits for
                a GPU.
        """
        model = self._model()
        if model is None or not self._seen.untouched(model):
            return False
        return not thorough or (self._seen.same_code() and self._same_numbers())

    def look(self) -> Change:
        """Return what has changed since the last look, and remember how it is now."""
        model, before = self._model(), self._seen
        assert model is not None, "whoever asks has the model"
        now = _Snapshot(model, before.attention)
        change = now.compared_with(before)
        if change is Change.NONE and not self._same_numbers():
            change = Change.WEIGHTS
        self._remember(now)
        return change

    def settle(self) -> None:
        """Take numbers and tensors that have changed as what a pass did to the model, but for parameters."""
        model, others = self._model(), self._seen.others
        if model is None or (self._seen.untouched(model) and (others.counted or self._others.same())):
            return
        now = _Snapshot(model, self._seen.attention)
        if now.is_after_pass_of(self._seen) and self._parameters.same():
            self._remember(now)

    def _remember(self, seen: _Snapshot) -> None:
        self._seen = seen
        self._parameters, self._others = (
            WeightNumbers(seen.parameters.alive),
            WeightNumbers(seen.others.alive),
        )

    def _same_numbers(self) -> bool:
        return self._parameters.same() and self._others.same()


class _Tensors:
    """Tensors with numbers, as far as torch knows them; weakly, for one that is replaced must not live on.

    Args:
        tensors: Any.
        gone: Called when one of them or its storage is no more.
    Attributes:
        counted: Whether torch counts the writes to all of them.
    """

    def __init__(self, tensors: Sequence[Tensor], gone: Callable[[Any], None]) -> None:
        solid = [t for t in tensors if not t.is_meta]
        versioned, stored = ([t for t in solid if has(t)] for has in (_has_version, has_storage))
        self._all, self._versioned, self._stored = (
            [weakref.ref(t, gone) for t in each] for each in (solid, versioned, stored)
        )
        self._versions = [t._version for t in versioned]
        self.counted = len(versioned) == len(solid)
        self._places = list(map(_place, stored))
        # once a storage is gone, new numbers may have its address
        self._storages = [weakref.ref(t.untyped_storage(), gone) for t in stored]

    def untouched(self) -> bool:
        """Whether torch has counted no write and given no other storage, while all of them live."""
        return (
            [r()._version for r in self._versioned] == self._versions  # type: ignore[union-attr]
            and [_place(r()) for r in self._stored] == self._places
        )

    def same(self, before: _Tensors) -> bool:
        """Whether these are the same tensors as those, as they were."""
        return (
            _same_objects(self._all, before._all)
            and _same_objects(self._storages, before._storages)
            and self._versions == before._versions
            and self._places == before._places
        )

    def alive(self) -> list[Tensor]:
        """Return those that are still there."""
        return [t for r in self._all if (t := r()) is not None]


class _Snapshot:
    """All that a model's logits follow from, as it is now, but for the numbers themselves.

    Attributes:
        parameters, others: Tensors with numbers.
        attention: By configuration, the attention that it named before ours was attached.
    """

    def __init__(self, model: PreTrainedModel, attention: Mapping[int, Any]) -> None:
        walk = _Walk(model)
        self._gone: list[object] = []
        gone = self._gone.append
        self._modules = [weakref.ref(m, gone) for m in walk.modules]
        self._kinds = list(map(type, walk.modules))
        self._contents = [m.__dict__[name].values() for m in walk.modules[1:] for name in _CONTENTS]
        self._ids = self._content_ids(model)
        self._own, self._live, self._code = _own(model), walk.live, walk.code
        self._copies, self._code_copies = list(map(_copied, walk.live)), list(map(dict, walk.code))
        self._around = _around()
        self.parameters = _Tensors([t for t in walk.tensors if isinstance(t, nn.Parameter)], gone)
        self.others = _Tensors([t for t in walk.tensors if not isinstance(t, nn.Parameter)], gone)
        self._layouts = [_layout(t) for t in walk.tensors]
        self.attention = {
            id(each): attention.get(id(each)) if _is_ours(each[_ATTENTION]) else each[_ATTENTION]
            for each in walk.live
            if isinstance(each, dict) and _ATTENTION in each
        }
        self._settings = [self._settings_of(each) for each in (self._own, *walk.live)]
        self._functions = [{n: f for n, f in each.items() if callable(f)} for each in walk.code]

    def untouched(self, model: PreTrainedModel) -> bool:
        """Whether every object is the one that was seen, and as it was. Takes microseconds."""
        try:
            return (
                not self._gone
                and self._content_ids(model) == self._ids
                and [type(r()) for r in self._modules] == self._kinds
                and self._live == self._copies
                and _own(model) == self._own
                and self.parameters.untouched()
                and self.others.untouched()
                and _around() == self._around
            )
        except Exception:
            # a tensor does not let itself be compared with the one that it replaces
            return False

    def same_code(self) -> bool:
        """Whether the classes of modules, and the files that they come from, hold what they held."""
        try:
            return self._code == self._code_copies
        except Exception:
            return False

    def compared_with(self, before: _Snapshot) -> Change:
        """Return what has changed since `before`."""
        try:
            if (
                not _same_objects(self._modules, before._modules)
                or self._kinds != before._kinds
                or self._layouts != before._layouts
                or self._around != before._around
                or self._settings != before._settings
                or self._functions != before._functions
            ):
                return Change.BEHAVIOUR
        except Exception:
            return Change.BEHAVIOUR
        same = self.parameters.same(before.parameters) and self.others.same(before.others)
        return Change.NONE if same else Change.WEIGHTS

    def is_after_pass_of(self, before: _Snapshot) -> bool:
        """Whether nothing differs from `before` but what modules keep of the texts that they have read."""
        try:
            return (
                self.parameters.same(before.parameters)
                and _same_objects(self._modules, before._modules)
                and self._kinds == before._kinds
                and list(map(_fixed, self._settings)) == list(map(_fixed, before._settings))
            )
        except Exception:
            return False

    def _content_ids(self, model: nn.Module) -> list[int]:
        own = model.__dict__
        return list(map(id, chain(*(own[name].values() for name in _CONTENTS), *self._contents)))

    def _settings_of(self, live: Any) -> Any:
        if not isinstance(live, dict):
            return _copied(live)
        found = {
            name: _layout(value) if isinstance(value, Tensor) else value
            for name, value in live.items()
            if name not in _IGNORED and not (name == "forward" and is_packed(value))
        }
        if id(live) in self.attention:
            found[_ATTENTION] = self.attention[id(live)]
        return found


class _Walk:
    """All that hangs from a model.

    Attributes:
        modules: The model itself first; those too that are kept in plain lists.
        tensors: Registered or not; of those that are made of others, the others too.
        live: Attributes of modules but for the model's own, of configurations, and the containers in them.
        code: What classes of modules, and the files they come from, hold by name.
    """

    def __init__(self, model: nn.Module) -> None:
        self.modules: list[nn.Module] = []
        self.tensors: list[Tensor] = []
        self.live: list[Any] = []
        self.code: list[Mapping[str, Any]] = []
        self._met: set[int] = set()
        self._module(model)
        del self.live[0]
        for kind in dict.fromkeys(map(type, self.modules)):
            # where libraries that make models faster put their own functions
            self.code.append(vars(kind))
            source = sys.modules.get(kind.__module__)
            if source is not None and kind.__module__.partition(".")[0] != "torch" and self._new(source):
                self.code.append(vars(source))

    def _module(self, module: nn.Module) -> None:
        if not self._new(module):
            return
        self.modules.append(module)
        own = module.__dict__
        self.live.append(own)
        self.live += [own[name] for name in _HOOKS]
        for name in _CONTENTS:
            self._values(own[name].values(), 0)
        self._values([v for name, v in own.items() if name not in _TORCHS and name not in _IGNORED], 0)

    def _values(self, values: Iterable[Any], depth: int) -> None:
        for value in values:
            if isinstance(value, nn.Module):
                self._module(value)
            elif isinstance(value, Tensor):
                self._tensor(value)
            elif isinstance(value, tuple) and depth < _DEPTH:
                self._values(value, depth + 1)
            elif _is_container(value) and depth < _DEPTH and self._new(value):
                live = value if isinstance(value, dict | list | set) else vars(value)
                self.live.append(live)
                self._values(live.values() if isinstance(live, dict) else live, depth + 1)

    def _tensor(self, tensor: Tensor) -> None:
        if self._new(tensor):
            self.tensors.append(tensor)
            if hasattr(tensor, "__tensor_flatten__"):
                self._values([getattr(tensor, name) for name in tensor.__tensor_flatten__()[0]], 0)

    def _new(self, thing: Any) -> bool:
        if id(thing) in self._met:
            return False
        self._met.add(id(thing))
        return True


def _own(model: nn.Module) -> dict[str, Any]:
    # a copy with what is kept there would hold on to itself
    return {name: value for name, value in model.__dict__.items() if name != STATE_KEY}


def _around() -> list[Any]:
    """What changes the forward pass of every model."""
    hooks = [item for each in _GLOBAL_HOOKS for item in each.items()]
    kinds = ("cpu", "cuda")
    return [*hooks, *((torch.is_autocast_enabled(k), torch.get_autocast_dtype(k)) for k in kinds)]


def _is_container(value: Any) -> bool:
    if isinstance(value, dict | list | set):
        return len(value) <= _MOST_ENTRIES
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return False
    return isinstance(value, PreTrainedConfig | SimpleNamespace) or dataclasses.is_dataclass(value)


def _is_ours(attention: Any) -> bool:
    return str(attention).startswith(NAME.partition("_")[0])


def _fixed(settings: Any) -> Any:
    if not isinstance(settings, dict):
        return settings
    kept = (int, float, tuple)
    return {n: v for n, v in settings.items() if isinstance(v, bool) or not isinstance(v, kept)}


def _copied(live: Any) -> Any:
    kind = list if isinstance(live, list) else set if isinstance(live, set) else dict
    return kind(live)


def _has_version(tensor: Tensor) -> bool:
    return not tensor.is_inference()


def _place(tensor: Any) -> tuple[int, tuple[int, ...]]:
    return tensor.data_ptr(), tensor.stride()


def _layout(tensor: Tensor) -> tuple[Any, ...]:
    return tuple(tensor.shape), tensor.dtype, tensor.device, type(tensor)


def _same_objects(some: Sequence[weakref.ref[Any]], others: Sequence[weakref.ref[Any]]) -> bool:
    if len(some) != len(others):
        return False
    return all((a := one()) is not None and a is other() for one, other in zip(some, others, strict=True))
