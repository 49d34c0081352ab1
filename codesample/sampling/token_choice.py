"""Which token comes next: truncation, inverse CDF and the log-probabilities that are kept.

Where top-k, top-p or min-p truncate, tokens are ordered by falling logit, equal logits by rising id.
Temperature keeps that order and each filter keeps a prefix of it. The vocabulary is searched with a short
`topk` first. For rows whose kept prefix is longer the tokens that it can hold are sorted (see `kept_tokens`);
where these are very many, its end and the draw are found by summing mass (see `ranked_mass`).
Where nothing truncates, tokens stay in the order of their ids: sums over blocks lead to the block, and its
sums to the token.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from codesample.records import SamplingParams
from codesample.sampling.kept_tokens import Reach, packed, within_reach
from codesample.sampling.ranked_mass import WHOLE, RankedMass, as_units

__all__ = ["Choice", "Drawn", "Known", "choose", "known_of"]

# tokens looked at first; code models keep a few dozen tokens at top-p 0.95
_SHORT = 24
# likeliest tokens that confidence is the mean of, as published
_MOST_CONFIDENT = 20
# what a log-probability is held above where it is added up
_LEAST = -1e30
# tokens per block of an untruncated draw
_BLOCK = 256
# logits worked on at a time where the host may be asked: what comes of more leaves the cache, and the
# C library gives memory of that size back to the kernel, to be cleared and mapped again at every step
_CHUNK = 1 << 20
# the same where each has 64 bits, several times
_MASS_CHUNK = 1 << 18
# tokens of a row that are sorted; to sum the mass of all takes less time than to sort more
_MOST_SORTED = 1 << 14

# rows of given tokens worked on at a time on a GPU, so that their log-probabilities stay small
_GPU_ROWS = 256

Drawn = tuple[int, tuple[float, ...]]
"""A token, or -1, and what is known of it, as in `Choice.known`."""


class Choice(NamedTuple):
    """Tokens drawn in one step.

    Attributes:
        tokens: [R], int64; -1 for a row not settled (see `choose`).
        logprobs: [R], float32, under the softmax of the logits as given.
        sampled_logprobs: [R], float32, under the distribution drawn from; 0 when greedy.
        certainties: [R], float32, see `Candidate.certainties`; None where it is not to be recorded.
        confidences: [R], float32, see `Candidate.confidences`; likewise.
    """

    tokens: Tensor
    logprobs: Tensor
    sampled_logprobs: Tensor
    certainties: Tensor | None = None
    confidences: Tensor | None = None

    @property
    def known(self) -> tuple[Tensor, ...]:
        """What is known of each token, without what is not recorded."""
        return tuple(each for each in self[1:] if each is not None)

    def drawn(self) -> list[Drawn]:
        """Return each row's token and what is known of it, on the host."""
        known = zip(*(each.tolist() for each in self.known), strict=True)
        return list(zip(self.tokens.tolist(), known, strict=True))


class Known(NamedTuple):
    """What is known of tokens that were given; each [T], float32, as in `Choice`."""

    logprobs: Tensor
    certainties: Tensor
    confidences: Tensor

    def lists(self) -> tuple[list[float], list[float], list[float]]:
        """Return the same on the host."""
        return self.logprobs.tolist(), self.certainties.tolist(), self.confidences.tolist()


def choose(
    logits: Tensor,
    uniforms: Tensor,
    params: SamplingParams,
    *,
    edited: Tensor | None = None,
    width: int | None = None,
) -> Choice:
    """Draw one token per row by inverse CDF.

    Args:
        logits: [R, V], any float dtype; -inf marks a token that cannot come.
        uniforms: [R], float64 in [0, 1); unused when greedy.
        params: Temperature and truncation. Filters apply in the order temperature, typical-p, top-k, top-p,
            min-p, each on what the one before left.
        edited: [R, V], the logits to draw from where those differ from the model's own; `logprobs` stay
            those of `logits`. Default: the same.
        width: Look at so many of the likeliest tokens (or top_k + 1, if more), and give -1 to rows that these
            do not settle, without asking the host anything. Default: look further until all are settled.
    """
    most = max(1, _CHUNK // logits.shape[-1])
    if width is None and len(logits) > most:
        slices = [slice(i, i + most) for i in range(0, len(logits), most)]
        changed = [None if edited is None else edited[at] for at in slices]
        parts = [
            _choose(logits[at], uniforms[at], params, other, None)
            for at, other in zip(slices, changed, strict=True)
        ]
        columns = zip(*((part.tokens, *part.known) for part in parts), strict=True)
        return Choice(*map(torch.cat, columns))
    return _choose(logits, uniforms, params, edited, width)


def _choose(
    logits: Tensor, uniforms: Tensor, params: SamplingParams, edited: Tensor | None, width: int | None
) -> Choice:
    logits = logits if logits.dtype == torch.float64 else logits.float()
    source, logprobs = logits if edited is None else edited, logits.log_softmax(-1)
    if params.temperature == 0:
        tokens, sampled = _likeliest(source), torch.zeros_like(uniforms)
    else:
        as_given = edited is None and params.temperature == params.typical_p == 1
        shaped = logprobs if as_given else _shaped(source, params, ask=width is None)
        tokens, sampled = _drawn(shaped, uniforms, params, width)
    # of rows not settled there is no token to look at
    at = tokens if width is None else tokens.clamp_min(0)
    picked = logprobs.gather(-1, at[:, None])[:, 0]
    sure = _sureness(logprobs) if params.confidence else ()
    return Choice(tokens, picked.float(), sampled.float(), *sure)


def known_of(logits: Tensor, tokens: Tensor) -> Known:
    """Return what is known of given tokens, as `choose` does of those that it draws.

    Args:
        logits: [T, V], any float dtype, that each token comes from.
        tokens: [T], int64.
    """
    most = max(1, _CHUNK // logits.shape[-1]) if logits.device.type == "cpu" else _GPU_ROWS
    parts = []
    for begin in range(0, len(logits), most):
        part = logits[begin : begin + most]
        logprobs = (part if part.dtype == torch.float64 else part.float()).log_softmax(-1)
        picked = logprobs.gather(-1, tokens[begin : begin + most, None])[:, 0]
        parts.append(Known(picked.float(), *_sureness(logprobs)))
    return Known(*map(torch.cat, zip(*parts, strict=True)))


def _sureness(logprobs: Tensor) -> tuple[Tensor, Tensor]:
    """Return certainties and confidences, [R] float32 each; tokens that cannot come are left out."""
    top, _ = _top(logprobs, min(_MOST_CONFIDENT, logprobs.shape[-1]))
    if logprobs.device.type == "cpu" and logprobs.amin() > float("-inf"):
        # all can come, as a rule: one pass over the vocabulary is enough
        mean, count = logprobs.mean(-1), torch.full_like(top[:, 0], logprobs.shape[-1])
    else:
        count = (logprobs > float("-inf")).sum(-1).clamp_min(1)
        mean = logprobs.clamp_min(_LEAST).where(logprobs > float("-inf"), 0).sum(-1) / count
    some = top > float("-inf")
    confidence = -top.where(some, 0).sum(-1) / some.sum(-1).clamp_min(1)
    return (-mean - count.double().log()).float(), confidence.float()


def _top(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the `count` largest of each row, falling, equal ones in any order, and their ids; [R, count].

    They lie in the blocks with the `count` largest maxima; on a CPU it is several times faster to look at
    blocks first than to search the whole vocabulary.
    """
    vocabulary = values.shape[-1]
    even = vocabulary // _BLOCK * _BLOCK
    if even // _BLOCK <= count:
        values, ids = values.topk(count, dim=-1)
        return values, ids
    blocks = values[:, :even].reshape(len(values), -1, _BLOCK)
    best = blocks.amax(-1).topk(count, dim=-1, sorted=False).indices
    inside = blocks.gather(1, best[:, :, None].expand(-1, -1, _BLOCK)).flatten(1)
    top, at = torch.cat([inside, values[:, even:]], -1).topk(count, dim=-1)
    block = (at // _BLOCK).clamp_max(count - 1)
    ids = best.gather(1, block) * _BLOCK + at % _BLOCK
    # what lies behind the last whole block
    return top, torch.where(at < inside.shape[-1], ids, at + (even - inside.shape[-1]))


def _likeliest(logits: Tensor) -> Tensor:
    """Return the lowest id among each row's largest logits, [R]; a row with NaN may give any."""
    if type(logits) is Tensor and logits.device.type == "cpu":
        # NumPy promises the first, and searches each row several times faster than torch does on a CPU
        return torch.from_numpy(logits.numpy().argmax(-1))
    # torch's argmax promises no order
    top = logits.amax(-1, keepdim=True)
    ids = torch.arange(logits.shape[-1], device=logits.device)
    # NaN equals nothing; the caller sees it by its log-probability
    return torch.where(logits == top, ids, logits.shape[-1] - 1).amin(-1)


def _shaped(logits: Tensor, params: SamplingParams, *, ask: bool = True) -> Tensor:
    """Return log-probabilities after temperature and typical-p, [R, V]; the host is asked only if `ask`."""
    logprobs = (logits / params.temperature).log_softmax(-1)
    if params.typical_p == 1:
        return logprobs
    # keep the tokens of most expected surprise, at least a share of typical_p of the mass
    mass = logprobs.exp()
    # a token that cannot come has no surprise: 0 * -inf must not turn into NaN
    entropy = -(mass * logprobs.clamp(min=-1e30)).sum(-1, keepdim=True)
    strangeness = (-logprobs - entropy).abs()
    if ask:
        kept = RankedMass(-strangeness, as_units(mass)).share(params.typical_p).kept
    else:
        order = strangeness.argsort(dim=-1, stable=True)
        ordered = mass.gather(-1, order)
        kept = torch.empty_like(order, dtype=torch.bool)
        kept.scatter_(-1, order, ordered.cumsum(-1) - ordered < params.typical_p)
    return logprobs.masked_fill(~kept, float("-inf")).log_softmax(-1)


def _drawn(
    logprobs: Tensor, uniforms: Tensor, params: SamplingParams, width: int | None
) -> tuple[Tensor, Tensor]:
    """Return tokens and their log-probabilities under the distribution drawn from."""
    if not _truncates(params):
        tokens = _draw_by_id(logprobs, uniforms)
        return tokens, logprobs.gather(-1, tokens[:, None])[:, 0]
    # top-p is a share of what top-k leaves, so all of that has to be in sight
    wide = max(width or _SHORT, params.top_k + 1)
    if width is not None:
        tokens, logprob, settled = _draw_by_rank(logprobs, uniforms, params, wide)
        return torch.where(settled, tokens, -1), logprob
    # most rows of a trained model are sure of their token: it alone is kept
    tokens = _likeliest(logprobs)
    logprob = torch.zeros_like(uniforms)
    largest = logprobs.gather(-1, tokens[:, None])[:, 0]
    rows = (largest.exp() <= max(params.top_p, 0.5)).nonzero()[:, 0]
    if not len(rows):
        return tokens, logprob
    unsure, drawn_by = logprobs, uniforms
    if len(rows) < len(tokens):
        unsure, drawn_by = logprobs.index_select(0, rows), uniforms.index_select(0, rows)
    found, among, settled = _draw_by_rank(unsure, drawn_by, params, wide, ask=True)
    if not settled.all():
        left = (~settled).nonzero()[:, 0]
        given = unsure.index_select(0, left), drawn_by.index_select(0, left)
        found[left], among[left] = _draw_by_reach(*given, params)
    if len(rows) == len(tokens):
        return found, among
    return tokens.index_copy_(0, rows, found), logprob.index_copy_(0, rows, among)


def _draw_by_id(logprobs: Tensor, uniforms: Tensor) -> Tensor:
    """Draw from the whole distribution with tokens in order of ids; return tokens, [R]."""
    vocabulary, mass = logprobs.shape[-1], logprobs.exp()
    even = vocabulary // _BLOCK * _BLOCK
    sums = mass[:, :even].reshape(len(mass), even // _BLOCK, _BLOCK).sum(-1)
    cumulative = torch.cat([sums, mass[:, even:].sum(-1, keepdim=True)], -1).double().cumsum(-1)
    target = uniforms[:, None] * cumulative[:, -1:]
    block = _reaching(cumulative, target)
    before = F.pad(cumulative, (1, 0)).gather(-1, block)
    ids = block * _BLOCK + torch.arange(_BLOCK, device=block.device)
    inside = mass.gather(-1, ids.clamp_max(vocabulary - 1)).where(ids < vocabulary, 0).double().cumsum(-1)
    return ids.gather(-1, _reaching(inside, target - before))[:, 0]


def _reaching(cumulative: Tensor, target: Tensor) -> Tensor:
    """Return the first position whose sum exceeds the target, [R, 1]; where none does, the last with mass."""
    last = (cumulative < cumulative[:, -1:]).sum(-1, keepdim=True)
    return torch.minimum((cumulative <= target).sum(-1, keepdim=True), last)


def _draw_by_rank(
    logprobs: Tensor, uniforms: Tensor, params: SamplingParams, width: int, *, ask: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw from the `width` likeliest tokens; the host is asked only if `ask`.

    Returns: tokens, their log-probabilities among those kept, and which rows that settles; each [R].
    """
    vocabulary = logprobs.shape[-1]
    whole = width >= vocabulary
    if whole:
        values, ids = logprobs.sort(dim=-1, descending=True, stable=True)
    else:
        values, ids = _sorted_top(logprobs, width, ask=ask)
    values = values.double()
    mass = values.exp()
    cumulative = mass.cumsum(-1)
    last, total = _kept(mass, cumulative, params, whole=whole)
    target = uniforms * total
    at = torch.minimum((cumulative <= target[:, None]).sum(-1), last)[:, None]
    tokens = ids.gather(-1, at)[:, 0]
    logprob = values.gather(-1, at)[:, 0] - total.log()
    if whole:
        return tokens, logprob, torch.ones_like(tokens, dtype=torch.bool)
    # the last column may tie with tokens not seen, so nothing that reaches it is settled
    return tokens, logprob, values.gather(-1, last[:, None])[:, 0] > values[:, -1]


def _draw_by_reach(logprobs: Tensor, uniforms: Tensor, params: SamplingParams) -> tuple[Tensor, Tensor]:
    """Do what `_draw_by_rank` does with all tokens in sight; return them and their log-probabilities."""
    tokens, among = torch.zeros_like(uniforms, dtype=torch.int64), torch.zeros_like(uniforms)
    by_mass = torch.ones_like(tokens, dtype=torch.bool)
    if not params.top_k:
        mass = logprobs.exp().sum(-1, dtype=torch.float64)
        within = within_reach(logprobs, mass, top_p=params.top_p, min_p=params.min_p)
        by_mass = within.sum(-1) > _MOST_SORTED
        rows = (~by_mass).nonzero()[:, 0]
        if len(rows):
            few, within, mass, numbers = (
                x if len(rows) == len(x) else x.index_select(0, rows)
                for x in (logprobs, within, mass, uniforms)
            )
            tokens[rows], among[rows] = _draw_sorted(packed(few, within), mass, numbers, params)
    together = max(1, _MASS_CHUNK // logprobs.shape[-1])
    for left in by_mass.nonzero()[:, 0].split(together) if by_mass.any() else ():
        some = logprobs.index_select(0, left), uniforms.index_select(0, left)
        tokens[left], among[left] = _draw_by_mass(*some, params)
    return tokens, among


def _draw_sorted(
    reach: Reach, mass: Tensor, uniforms: Tensor, params: SamplingParams
) -> tuple[Tensor, Tensor]:
    """Draw from all that may be kept; `mass`, [R] float64, is what each row's probabilities add up to.

    Returns: tokens and their log-probabilities among those kept, each [R].
    """
    values, order = reach.values.sort(dim=-1, descending=True, stable=True)
    values = values.double() - mass.log()[:, None]
    masses = values.exp()
    cumulative = masses.cumsum(-1)
    last, total = _kept(masses, cumulative, params, whole=False)
    # where rounding keeps the sum below top-p, what fills a row up has no share in it
    last = torch.minimum(last, reach.counts - 1).clamp_min(0)
    at = torch.minimum((cumulative <= (uniforms * total)[:, None]).sum(-1), last)[:, None]
    tokens = reach.ids.gather(-1, order.gather(-1, at))[:, 0]
    return tokens, values.gather(-1, at)[:, 0] - total.log()


def _draw_by_mass(logprobs: Tensor, uniforms: Tensor, params: SamplingParams) -> tuple[Tensor, Tensor]:
    """Do what `_draw_by_rank` does with all tokens in sight; return them and their log-probabilities."""
    mass = logprobs.double()
    mass = mass.exp_() if mass is not logprobs else mass.exp()
    units = as_units(mass)
    if params.top_k:
        # only equal logits at its border lead here
        count = RankedMass(logprobs, torch.ones_like(units))
        units = units.where(count.reached(torch.full_like(units[:, 0], params.top_k - 1)).kept, 0)
    ranked = RankedMass(logprobs, units)
    total = ranked.total if params.top_p == 1 else ranked.share(params.top_p).upto
    if params.min_p > 0:
        likely = mass >= params.min_p * mass.amax(-1, keepdim=True)
        total = torch.minimum(total, units.where(likely, 0).sum(-1))
    tokens = ranked.reached(torch.minimum((uniforms * total).long(), total - 1)).where
    picked = logprobs.gather(-1, tokens[:, None])[:, 0]
    return tokens, picked - (total.double() / WHOLE).log()


def _truncates(params: SamplingParams) -> bool:
    return params.top_k > 0 or params.top_p < 1 or params.min_p > 0


def _sorted_top(logits: Tensor, width: int, *, ask: bool) -> tuple[Tensor, Tensor]:
    """Return the `width` largest logits, falling, equal ones by rising id."""
    values, ids = _top(logits, width)
    if ask and not bool((values[:, 1:] == values[:, :-1]).any()):
        # of different values there is one order
        return values, ids
    ids, by_id = ids.sort(dim=-1)
    values, by_value = values.gather(-1, by_id).sort(dim=-1, descending=True, stable=True)
    return values, ids.gather(-1, by_value)


def _kept(mass: Tensor, cumulative: Tensor, params: SamplingParams, *, whole: bool) -> tuple[Tensor, Tensor]:
    """Return per row which column is the last one kept, [R] int64, and the mass up to it, [R] float64.

    A prefix that goes on beyond the columns at hand is reported as all of them.
    """
    width = mass.shape[-1]
    limit = min(params.top_k or width, width)
    # without top-k the mass not seen counts as well: it is 1 in all, up to rounding
    total = cumulative[:, limit - 1, None] if whole or params.top_k else 1.0
    # of what follows, each column counts those before the one that a filter keeps last
    columns = cumulative[:, : limit - 1]
    if params.top_p < 1:
        last = (columns < params.top_p * total).sum(-1)
    else:
        last = torch.full_like(mass[:, 0], limit - 1, dtype=torch.int64)
    if params.min_p > 0:
        last = torch.minimum(last, (mass >= params.min_p * mass[:, :1]).sum(-1) - 1)
    return last, cumulative.gather(-1, last[:, None])[:, 0]
