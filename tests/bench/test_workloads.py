"""Prompts of the decode benchmark."""

from codesample.bench.workloads import Workload


def test_prompts_share_their_header_and_repeat():
    workload = Workload(9, (5, 12), 4, 8)
    first, second = workload.prompts(300)
    assert first[:9] == second[:9]
    assert (len(first), len(second)) == (14, 21)
    assert workload.prompts(300) == [first, second]
