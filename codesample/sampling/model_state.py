"""What is derived from a model as it is now, kept with the model and dropped when the model changes."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Hashable
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from codesample.errors import ModelError
from codesample.sampling.attention_hook import looked_at_anew
from codesample.sampling.attention_probe import Probed, probe_shared_path
from codesample.sampling.packed_weights import Copy, Matmul, PackedWeights, expect_matmul, matmul_of
from codesample.sampling.sharded.ranks import LostError, Ranks, ranks_of
from codesample.sampling.weights_watch import STATE_KEY, Change, WeightsWatch

__all__ = ["ModelState", "state_of"]

_log = logging.getLogger("codesample.sampling")


class ModelState:
    """The path that serves a model, and copies of its weights; see `state_of`.

    Args:
        model: Not kept alive.
        probed: What `probe_shared_path` says of it.
        matmul: What its copies are multiplied in; see `expect_matmul`.
        hosts: Processes that have the whole model each, and spread prompts among them.
        exact: Whether `matmul` was chosen since it rounds no weight; float32 takes its place once it would.
    Attributes:
        probed: As of the last `renew`; another object after each probe.
        ranks: Those that weights or prompts are divided among; None where this process has all of both.
        generation: Grows whenever the model has changed: what was computed under an earlier one is stale.
        uncaptured: Kinds of token choice with which a step of the model as it is could not be captured as a
            CUDA graph; see `DecodeStep`.

    Raises:
        ModelError: matrices in 8 or 16 bits of a model that cannot have them.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        probed: Probed,
        matmul: Matmul = "float32",
        hosts: Ranks | None = None,
        *,
        exact: bool = False,
    ) -> None:
        self.ranks = ranks_of(model)
        if self.ranks is not None and matmul != "float32":
            raise ModelError(
                f"{matmul}: the weights are divided among {self.ranks.size} processes, which multiply with "
                "them as they are; leave it out"
            )
        expect_matmul(model, matmul)
        if matmul != "float32" and not probed.kv_shapes:
            raise ModelError(
                f"{matmul}: the model takes the ordinary path, whose passes multiply with its weights as "
                f"they are ({probed.notice}); leave it out"
            )
        # not itself, lest a model that nobody uses any more wait for the garbage collector
        self._divided = self.ranks is not None
        self._alone: ModelState | None = None
        self.ranks = self.ranks or hosts
        self._model, self.matmul = weakref.ref(model), matmul
        self._exact = exact and matmul != "float32"
        self.probed, self.generation, self._forgotten = probed, 0, False
        self.uncaptured: set[Hashable] = set() if self.ranks is None else _All()
        self._packed: tuple[PackedWeights | None] | None = None
        self._kept: list[Copy] = []
        self._watch = WeightsWatch(model)

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        # a copy of the model, or the model in a file, has none
        return type(None), ()

    def spread_over(self, hosts: Ranks | None) -> ModelState:
        """Return the state in one of several processes that prompts are spread over; None: there are none."""
        if hosts is None:
            return self.alone
        state = ModelState(self.model, self.probed, self.matmul, hosts, exact=self._exact)
        state._alone = self.alone
        return state

    @property
    def alone(self) -> ModelState:
        """The state of the model for one process alone."""
        return self._alone or self

    @property
    def packed(self) -> PackedWeights | None:
        """Copies of the weights as of the last `renew`, where these serve; see `PackedWeights.of`."""
        if self._divided:
            return None
        if self._packed is None:
            self._packed = (PackedWeights.of(self.model, self.matmul, self._kept),)
            self._kept = []
        return self._packed[0]

    @property
    def model(self) -> PreTrainedModel:
        """Whose state it is."""
        model = self._model()
        assert model is not None, "whoever asks has the model"
        return model

    def renew(self, *, thorough: bool = True) -> int:
        """Look whether the model has changed, drop what is stale, and return the generation.

        Args:
            thorough: As once per call: look also for what was written past torch's counters, and for other
                code in the place of modules' own; see `WeightsWatch.same`.
        """
        if self._most(self._forgotten or not self._watch.same(thorough=thorough)):
            with looked_at_anew(self.model):
                self._look()
        return self.generation

    def settle(self) -> None:
        """Take what a pass of ours has done to the model for no change of it.

        Some models keep the rotary frequencies of the longest text that they have read.
        """
        self._watch.settle()

    def serves(self, before: Probed, own: Probed, stored: Tensor) -> bool:
        """Whether the model still takes the path that it took, and keys like those stored.

        Args:
            before: `probed` as it was then.
            own: What was found of that path by whoever takes it: a policy may serve a model that nobody else
                does, and is not known to do so once more than weights have changed.
        """
        model = self.model
        same = self.probed is before or self.probed == own
        return same and (stored.dtype, stored.device) == (model.dtype, model.device)

    def forget(self) -> None:
        """Take the model for another one at the next `renew`."""
        self._forgotten = True

    def expect_whole(self, error: BaseException) -> None:
        """Refuse to go on with less after running out of memory, where other ranks may have had enough.

        Raises:
            LostError: weights or prompts are divided among several.
        """
        if self.ranks is not None:
            raise LostError(
                f"rank {self.ranks.rank} of {self.ranks.size} ran out of memory on {self.model.device}; "
                "lower max_rows, max_new_tokens or memory_fraction, or start more processes"
            ) from error

    def _most(self, found: int) -> int:
        """Return what the rank found that has most to say: a change of one shard is one of the model."""
        return int(found) if self.ranks is None else self.ranks.most(int(found))

    def _look(self) -> None:
        change = Change(self._most(self._watch.look()))
        forgotten = bool(self._most(self._forgotten))
        if change is Change.NONE and not forgotten:
            return
        packed, self._packed = (self._packed or (None,))[0], None
        self._kept = packed.still_true() if packed is not None and not forgotten else []
        if self._exact and (matmul := matmul_of(self.model, "auto", left_open=True)) != self.matmul:
            _log.warning("the weights have changed; from now on the model multiplies in %s", matmul)
            self.matmul, self._kept = matmul, []
        self.uncaptured.clear()
        self.generation += 1
        if change is Change.WEIGHTS and not forgotten:
            return
        # until it is known what the model has become, for a probe may refuse it
        self._forgotten = True
        before, self.probed = self.probed.notice, probe_shared_path(self.model)
        self._forgotten = False
        # passes through a model may leave their traces in it
        self._watch.look()
        notice = self.probed.notice
        if notice and notice != before:
            _log.warning("the model has changed: %s; from now on it takes the ordinary path", notice)


class _All(set[Hashable]):
    """All kinds of token choice: no step becomes a graph, which would hold what ranks send one another."""

    def __contains__(self, kind: object) -> bool:
        return True


def state_of(model: PreTrainedModel) -> ModelState:
    """Return the state of a model, which is kept with it, so that every call finds the same."""
    state = model.__dict__.get(STATE_KEY)
    if not isinstance(state, ModelState) or state._model() is not model:
        state = ModelState(model, probe_shared_path(model))
        model.__dict__[STATE_KEY] = state
        if state.probed.notice:
            _log.warning("%s; generating on the ordinary path", state.probed.notice)
    return state
