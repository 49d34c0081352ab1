import doctest

import torch

from codesample.kernels.bifurcated_decode import step_views
from codesample.kernels.bifurcated_decode.batch import DecodeBatch, Segment
from codesample.kernels.bifurcated_decode.step_views import Step, layout_of, whole_levels


def test_the_worked_example_of_row_ranges_is_true():
    found = doctest.testmod(step_views)
    assert found.attempted == 1
    assert found.failed == 0


def test_the_slots_of_prompts_may_lie_mixed_without_a_call_for_each():
    """As they do where the rows of many callers begin and end at any time."""
    prompts, each = 16, 4
    rows = prompts * each
    slots = [prompts * i + p for p in range(prompts) for i in range(each)]
    batch = DecodeBatch.build(
        [Segment(p * 50, 50, p * each, (p + 1) * each, 0) for p in range(prompts)],
        slots=slots,
        own_starts=[50] * rows,
    )
    by_slot = sorted(range(rows), key=slots.__getitem__)
    step = Step(batch, (), torch.tensor(slots)[:, None], by_slot, [10] * rows, 1, 4, None, 512)
    layout = layout_of(step, whole_levels(batch, ()))
    (block,) = layout.blocks
    assert (block.row_start, block.row_stop, block.slot_start, block.slot_stop) == (0, rows, 0, rows)
    assert block.offsets is None
    assert layout.into is not None
