"""Times of ways that take turns."""

from codesample.bench.rounds import Rounds


def test_medians_and_ratios_are_taken_round_by_round():
    rounds = Rounds()
    for ours, theirs in [(1.0, 4.0), (2.0, 4.0), (4.0, 4.0)]:
        rounds.add("ours", ours)
        rounds.add("theirs", theirs)
    assert rounds.medians() == {"ours": 2.0, "theirs": 4.0}
    assert rounds.ratios("ours") == {"ours": [1.0, 1.0, 1.0], "theirs": [1.0, 2.0, 4.0]}


def test_a_way_that_is_left_out_has_no_times():
    rounds = Rounds()
    rounds.add("ours", 1.0)
    rounds.add("theirs", 2.0)
    rounds.leave_out("theirs", "wrong")
    rounds.leave_out("others", "not installed")
    assert rounds.medians() == {"ours": 1.0}
    assert rounds.left_out == {"theirs": "wrong", "others": "not installed"}
