"""Whole-collection operations of the corpus, by the type they read, and the folds that end a composition.

Slots in angle brackets: `<v>` the collection read, `<r>` a fresh result name, `<x>` (or `<a>`, `<b>` for
pairs and dictionary items) the element, `<i>` a position, `<np>` the noun phrase read so far. Others are constants.
"""

# A row per operation reads better than a field per line.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from codesample.tiny.training.primitives import CHAR_TESTS, INT_TESTS, WORD_TESTS, Test

__all__ = ["FOLDS", "OPERATIONS", "Fold", "Operation"]


@dataclass(frozen=True, slots=True)
class Fold:
    """Reduces elements to one value, so that it can share a loop with the filters and the map before it.

    Attributes:
        key: Canonical name; part of a composition's signature.
        dst: Type of the result.
        slugs: Words for a function name.
        nouns, verbs: Wordings, as in `Operation`.
        whole: Expressions over `<v>`.
        fused: Expressions over `<e>` (the element's expression) and `<for>` (the loop header).
        init, step: First value, and the statement run for each `<e>`.
    """

    key: str
    dst: str
    slugs: tuple[str, ...]
    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    whole: tuple[str, ...]
    fused: tuple[str, ...]
    init: str
    step: str
    constants: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """Reads a whole collection.

    Attributes:
        key: Canonical name; part of a composition's signature.
        dst: Type of the result.
        slugs: Words for a function name.
        nouns: Wordings that take the noun phrase `<np>`.
        verbs: Imperative wordings.
        exprs: Expressions over `<v>`.
        blocks: Statements that set `<r>`.
        finals: Statements that return; only for the last operation of a function.
        constants: Slot name to constant kind.
    """

    key: str
    dst: str
    slugs: tuple[str, ...]
    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    exprs: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    finals: tuple[str, ...] = ()
    constants: dict[str, str] = field(default_factory=dict)


def _op(key: str, dst: str, slugs: str, nouns: Sequence[str], verbs: Sequence[str], exprs: Sequence[str] = (),
        blocks: Sequence[str] = (), finals: Sequence[str] = (), **constants: str) -> Operation:
    return Operation(key, dst, tuple(slugs.split()), tuple(nouns), tuple(verbs), tuple(exprs), tuple(blocks), tuple(finals), constants)


def _tested(tests: Sequence[Test], noun: str) -> list[Operation]:
    """Build the operations that ask a test of the elements in order: all, any, first place, longest run and so on."""
    made = []
    for t in tests:
        v, p, k = t.verbs, t.posts, t.constants
        made += [
            _op(f"all.{t.key}", "bool", f"all_{t.key}", [f"whether every one of <np> {s}" for s in v], [f"check that each one {s}" for s in v],
                [f"all({t.code} for <x> in <v>)"], [], [f"for <x> in <v>:\n    if {t.negated}:\n        return False\nreturn True"], **k),
            _op(f"any.{t.key}", "bool", f"any_{t.key} has_{t.key}", [f"whether at least one of <np> {s}" for s in v], [f"check whether any of them {s}" for s in v],
                [f"any({t.code} for <x> in <v>)"], [], [f"for <x> in <v>:\n    if {t.code}:\n        return True\nreturn False"], **k),
            _op(f"index.{t.key}", "int", f"first_{t.key} find_{t.key}", [f"the index of the first of <np> that {s}, or -1 if there is none" for s in v],
                [f"find the position of the first {noun} that {s}, -1 if no {noun} does" for s in v], [], [],
                [f"for <i>, <x> in enumerate(<v>):\n    if {t.code}:\n        return <i>\nreturn -1"], **k),
            _op(f"places.{t.key}", "ints", f"{t.key}_positions {t.key}_indexes", [f"the positions of those of <np> {s}" for s in p], [f"list the indexes of the {noun}s {s}" for s in p],
                [f"[<i> for <i>, <x> in enumerate(<v>) if {t.code}]"], [f"<r> = []\nfor <i>, <x> in enumerate(<v>):\n    if {t.code}:\n        <r>.append(<i>)"], **k),
            _op(f"run.{t.key}", "int", f"longest_{t.key}_run {t.key}_streak", [f"the length of the longest run in a row of <np> {s}" for s in p],
                [f"find how many consecutive {noun}s {s} there are at most" for s in p], [],
                [f"<r> = 0\nrun = 0\nfor <x> in <v>:\n    if {t.code}:\n        run += 1\n        <r> = max(<r>, run)\n    else:\n        run = 0"], **k),
        ]
        if noun != "character":
            made += [
                _op(f"while.{t.key}", "same", f"leading_{t.key} take_while_{t.key}", [f"<np> up to the first one that is not one of those {s}" for s in p],
                    [f"keep {noun}s from the start as long as each {s}" for s in v], [],
                    [f"<r> = []\nfor <x> in <v>:\n    if {t.negated}:\n        break\n    <r>.append(<x>)"], **k),
                _op(f"split.{t.key}", "tuple", f"partition_{t.key} split_{t.key}", [f"a pair of lists: those of <np> {s}, and the others" for s in p],
                    [f"separate the {noun}s {s} from the rest, as a pair of lists" for s in p], [],
                    [], [f"yes = []\nno = []\nfor <x> in <v>:\n    if {t.code}:\n        yes.append(<x>)\n    else:\n        no.append(<x>)\nreturn yes, no"], **k),
            ]
    return made


_ANY_LIST = (
    _op("reverse", "same", "reversed backwards", ["<np> in reverse order", "<np>, last one first"], ["reverse the order", "put them in reverse order"], ["<v>[::-1]"]),
    _op("take", "same", "first_few head", ["the first <k> of <np>"], ["keep the first <k>", "take the first <k> of them"], ["<v>[:<k>]"], k="few"),
    _op("drop", "same", "tail skip", ["all but the first <k> of <np>"], ["skip the first <k>", "drop the first <k> of them"], ["<v>[<k>:]"], k="few"),
    _op("last", "same", "last_few", ["the last <k> of <np>"], ["keep the last <k>"], ["<v>[-<k>:]"], k="few"),
    _op("alternate", "same", "every_other alternate", ["every second one of <np>, starting with the first", "every other one of <np>"], ["keep every second one, starting with the first"], ["<v>[::2]"]),
    _op("unique", "same", "unique distinct", ["<np> without repeats, in order of first appearance", "the distinct ones of <np> in their first order"], ["drop the repeats, keeping the first of each", "remove duplicates"],
        ["list(dict.fromkeys(<v>))"], ["<r> = []\nfor <x> in <v>:\n    if <x> not in <r>:\n        <r>.append(<x>)"]),
    _op("sort", "same", "sorted", ["<np> in ascending order", "<np>, sorted", "a sorted list of <np>"], ["sort them", "put them in ascending order"], ["sorted(<v>)"]),
    _op("sortdown", "same", "sorted_desc descending", ["<np> in descending order", "<np> from largest to smallest"], ["sort them in descending order", "order them from largest to smallest"], ["sorted(<v>, reverse=True)"]),
    _op("largest", "same", "top", ["the <k> largest of <np>, largest first"], ["keep the <k> largest, largest first"], ["sorted(<v>, reverse=True)[:<k>]"], k="few"),
    _op("rotate", "same", "rotated", ["<np> rotated left by one place"], ["move the first one to the end", "rotate them left by one place"], ["<v>[1:] + <v>[:1]"]),
    _op("twins", "same", "duplicates repeated", ["those of <np> that occur more than once, sorted, each listed once"], ["keep those that occur more than once, sorted and without repeats"],
        ["sorted({<x> for <x> in <v> if <v>.count(<x>) > 1})"]),
    _op("single", "same", "singles appearing_once", ["those of <np> that occur exactly once"], ["keep only those that occur exactly once"], ["[<x> for <x> in <v> if <v>.count(<x>) == 1]"]),
    _op("distinct", "int", "count_distinct num_unique", ["the number of different ones among <np>", "how many distinct ones there are among <np>"], ["count the distinct ones"], ["len(set(<v>))"]),
    _op("repeats", "bool", "has_duplicates", ["whether any of <np> occurs twice"], ["check whether there is a duplicate"], ["len(set(<v>)) < len(<v>)"], [],
        ["seen = set()\nfor <x> in <v>:\n    if <x> in seen:\n        return True\n    seen.add(<x>)\nreturn False"]),
    _op("chunks", "lists", "chunked chunks", ["<np> cut into pieces of <k>"], ["cut them into groups of <k>"], ["[<v>[<i>:<i> + <k>] for <i> in range(0, len(<v>), <k>)]"],
        ["<r> = []\nfor <i> in range(0, len(<v>), <k>):\n    <r>.append(<v>[<i>:<i> + <k>])"], k="few"),
    _op("ordered", "bool", "is_sorted", ["whether <np> are in ascending order"], ["check whether they are in ascending order"], ["<v> == sorted(<v>)", "all(a <= b for a, b in zip(<v>, <v>[1:]))"]),
)

_INTS = (
    *_ANY_LIST,
    _op("running", "ints", "running_total prefix_sums", ["the running totals of <np>", "the cumulative sums of <np>"], ["replace each by the total so far", "build the running totals"], [],
        ["<r> = []\ntotal = 0\nfor <x> in <v>:\n    total += <x>\n    <r>.append(total)"]),
    _op("peaks", "ints", "running_max", ["the running maximum of <np>", "the largest so far at each place of <np>"], ["replace each by the largest seen so far"], [],
        ["<r> = []\nfor <x> in <v>:\n    if <r> and <r>[-1] > <x>:\n        <r>.append(<r>[-1])\n    else:\n        <r>.append(<x>)"]),
    _op("valleys", "ints", "running_min", ["the running minimum of <np>"], ["replace each by the smallest seen so far"], [],
        ["<r> = []\nfor <x> in <v>:\n    if <r> and <r>[-1] < <x>:\n        <r>.append(<r>[-1])\n    else:\n        <r>.append(<x>)"]),
    _op("differences", "ints", "differences steps", ["the differences between neighbours of <np>", "each step from one of <np> to the next"], ["take the differences between neighbours", "subtract each one from the next"],
        ["[b - a for a, b in zip(<v>, <v>[1:])]"], ["<r> = []\nfor <i> in range(1, len(<v>)):\n    <r>.append(<v>[<i>] - <v>[<i> - 1])"]),
    _op("pairsums", "ints", "neighbour_sums pair_sums", ["the sums of neighbouring ones of <np>"], ["add each one to the next"],
        ["[a + b for a, b in zip(<v>, <v>[1:])]"], ["<r> = []\nfor <i> in range(1, len(<v>)):\n    <r>.append(<v>[<i>] + <v>[<i> - 1])"]),
    _op("windows", "ints", "window_sums moving_sums", ["the sums of every <k> consecutive ones of <np>"], ["sum every window of <k> in a row"], ["[sum(<v>[<i>:<i> + <k>]) for <i> in range(len(<v>) - <k> + 1)]"],
        ["<r> = []\nfor <i> in range(len(<v>) - <k> + 1):\n    <r>.append(sum(<v>[<i>:<i> + <k>]))"], k="few"),
    _op("windowmax", "ints", "window_max", ["the maximum of every <k> consecutive ones of <np>"], ["take the maximum of every window of <k> in a row"], ["[max(<v>[<i>:<i> + <k>]) for <i> in range(len(<v>) - <k> + 1)]"], k="few"),
    _op("byplace", "ints", "times_index weighted", ["<np>, each multiplied by its index"], ["multiply each one by its index"], ["[<i> * <x> for <i>, <x> in enumerate(<v>)]"],
        ["<r> = []\nfor <i>, <x> in enumerate(<v>):\n    <r>.append(<i> * <x>)"]),
    _op("plusplace", "ints", "plus_index", ["<np>, each increased by its index"], ["add to each one its index"], ["[<i> + <x> for <i>, <x> in enumerate(<v>)]"]),
    _op("sortabs", "ints", "sorted_by_abs", ["<np> sorted by absolute value"], ["sort them by absolute value"], ["sorted(<v>, key=abs)"]),
    _op("sortdigit", "ints", "sorted_by_last_digit", ["<np> sorted by their last digit"], ["sort them by their last digit"], ["sorted(<v>, key=lambda <x>: <x> % 10)"]),
    _op("sortmod", "ints", "sorted_by_remainder", ["<np> sorted by the remainder modulo <k>"], ["sort them by their remainder modulo <k>"], ["sorted(<v>, key=lambda <x>: <x> % <k>)"], k="div"),
    _op("abovemean", "ints", "above_average", ["those of <np> above their average"], ["keep those above the average"], ["[<x> for <x> in <v> if <x> * len(<v>) > sum(<v>)]"], ["mean = sum(<v>) / max(len(<v>), 1)\n<r> = [<x> for <x> in <v> if <x> > mean]"]),
    _op("rises", "int", "count_increases rises", ["how many of <np> are greater than the one before", "the number of increases between neighbours of <np>"], ["count how often one is greater than the one before"],
        ["sum(1 for a, b in zip(<v>, <v>[1:]) if b > a)"], ["<r> = 0\nfor <i> in range(1, len(<v>)):\n    if <v>[<i>] > <v>[<i> - 1]:\n        <r> += 1"]),
    _op("alternating", "int", "alternating_sum", ["the alternating sum of <np>, starting with plus"], ["add and subtract them in turn, starting with plus"],
        ["sum(<v>[::2]) - sum(<v>[1::2])"], ["<r> = 0\nsign = 1\nfor <x> in <v>:\n    <r> += sign * <x>\n    sign = -sign"]),
    _op("spread", "int", "spread range", ["the difference between the largest and the smallest of <np>, 0 if there are none", "the range of <np>, or 0 when there are none"], ["subtract the smallest from the largest, giving 0 if there are none"],
        ["max(<v>) - min(<v>) if <v> else 0"], [], ["if not <v>:\n    return 0\nreturn max(<v>) - min(<v>)"]),
    _op("extremes", "tuple", "min_max extremes", ["the smallest and the largest of <np> as a pair, or None if there are none"], ["give the smallest and the largest as a pair, or None if there are none"],
        ["(min(<v>), max(<v>)) if <v> else None"], [], ["if not <v>:\n    return None\nreturn min(<v>), max(<v>)"]),
    _op("second", "int", "second_largest", ["the second largest distinct one of <np>, or None"], ["find the second largest distinct value, None if there is none"],
        [], [], ["<r> = sorted(set(<v>))\nif len(<r>) < 2:\n    return None\nreturn <r>[-2]"]),
    _op("argmax", "int", "index_of_max", ["the index of the largest of <np>, or -1 if there are none"], ["find the index of the largest, -1 if there are none"], ["<v>.index(max(<v>)) if <v> else -1"],
        [], ["if not <v>:\n    return -1\nreturn <v>.index(max(<v>))"]),
    _op("mean", "int", "mean average", ["the average of <np> rounded down, or 0 if there are none"], ["take the average, rounded down, 0 if there are none"], ["sum(<v>) // len(<v>) if <v> else 0"],
        [], ["if not <v>:\n    return 0\nreturn sum(<v>) // len(<v>)"]),
    _op("clamped", "int", "clamped_balance", ["the balance after adding <np> one by one, never letting it fall below zero"], ["add them one by one, setting the balance to zero whenever it would fall below"], [],
        ["<r> = 0\nfor <x> in <v>:\n    <r> = max(0, <r> + <x>)"]),
    _op("until", "int", "sum_until_negative", ["the sum of <np> before the first negative one"], ["add them up until a negative one comes"], [], ["<r> = 0\nfor <x> in <v>:\n    if <x> < 0:\n        break\n    <r> += <x>"]),
    _op("modulo", "groups", "group_by_remainder", ["a dictionary from each remainder modulo <k> to the list of those of <np> that leave it"], ["group them by their remainder modulo <k>"], [],
        ["<r> = {}\nfor <x> in <v>:\n    <r>.setdefault(<x> % <k>, []).append(<x>)"], k="div"),
    _op("lastgroup", "groups", "group_by_last_digit", ["a dictionary from last digit to the list of those of <np> with it"], ["group them by their last digit"], [],
        ["<r> = {}\nfor <x> in <v>:\n    <r>.setdefault(abs(<x>) % 10, []).append(<x>)"]),
    _op("parity", "groups", "group_by_parity", ["a dictionary with the keys 'even' and 'odd' that lists <np> by parity"], ["group them under the keys 'even' and 'odd'"], [],
        ["<r> = {'even': [], 'odd': []}\nfor <x> in <v>:\n    if <x> % 2 == 0:\n        <r>['even'].append(<x>)\n    else:\n        <r>['odd'].append(<x>)"]),
    _op("mapping", "tally", "map_to_square", ["a dictionary from each of <np> to its square"], ["map each one to its square in a dictionary"], ["{<x>: <x> * <x> for <x> in <v>}"], ["<r> = {}\nfor <x> in <v>:\n    <r>[<x>] = <x> * <x>"]),
    *_tested(INT_TESTS, "number"),
)

_WORDS = (
    *_ANY_LIST,
    _op("sortlen", "words", "sorted_by_length", ["<np> sorted by length", "<np> from shortest to longest"], ["sort them by length", "order them from shortest to longest"], ["sorted(<v>, key=len)"]),
    _op("sortlendown", "words", "longest_first", ["<np> from longest to shortest"], ["sort them from longest to shortest"], ["sorted(<v>, key=len, reverse=True)", "sorted(<v>, key=lambda <x>: -len(<x>))"]),
    _op("sortlast", "words", "sorted_by_last_letter", ["<np> sorted by their last letter"], ["sort them by their last letter"], ["sorted(<v>, key=lambda <x>: <x>[-1])"]),
    _op("sortlenalpha", "words", "sorted_by_length_then_name", ["<np> sorted by length, those of equal length alphabetically"], ["sort them by length and then alphabetically"], ["sorted(<v>, key=lambda <x>: (len(<x>), <x>))"]),
    _op("sortcase", "words", "sorted_ignoring_case", ["<np> in alphabetical order, ignoring case"], ["sort them alphabetically, ignoring case"], ["sorted(<v>, key=str.lower)"]),
    _op("longest", "str", "longest_word", ["the longest of <np>, the first one if several are, or '' if there are none"], ["find the longest, '' if there are none"], ["max(<v>, key=len, default='')"], [],
        ["best = ''\nfor <x> in <v>:\n    if len(<x>) > len(best):\n        best = <x>\nreturn best", "if not <v>:\n    return ''\nreturn max(<v>, key=len)"]),
    _op("shortest", "str", "shortest_word", ["the shortest of <np>, the first one if several are, or '' if there are none"], ["find the shortest, '' if there are none"], ["min(<v>, key=len, default='')"], [],
        ["if not <v>:\n    return ''\nreturn min(<v>, key=len)"]),
    _op("joined", "text", "joined", ["<np> joined with <s>"], ["join them with <s>"], ["<s>.join(<v>)"], s="sep"),
    _op("sentence", "text", "sentence", ["<np> joined by spaces", "one string of <np> separated by spaces"], ["join them with spaces"], ["' '.join(<v>)"]),
    _op("glued", "text", "glued concatenated", ["one string made of <np>", "<np> glued together"], ["glue them together", "join them without a separator"], ["''.join(<v>)"], ["<r> = ''\nfor <x> in <v>:\n    <r> += <x>"]),
    _op("numbered", "words", "numbered", ["<np>, each with its number from 1 and a colon in front"], ["put the number from 1 and a colon in front of each"], ["[f'{<i>}:{<x>}' for <i>, <x> in enumerate(<v>, 1)]"]),
    _op("lengths", "dict", "length_map", ["a dictionary from each of <np> to its length"], ["map each one to its length in a dictionary"], ["{<x>: len(<x>) for <x> in <v>}"], ["<r> = {}\nfor <x> in <v>:\n    <r>[<x>] = len(<x>)"]),
    _op("bylen", "groups", "group_by_length", ["a dictionary from length to the list of those of <np> with that length"], ["group them by length"], [], ["<r> = {}\nfor <x> in <v>:\n    <r>.setdefault(len(<x>), []).append(<x>)"]),
    _op("byfirst", "groups", "group_by_first_letter", ["a dictionary from first letter to the list of those of <np> that start with it"], ["group them by first letter"], [],
        ["<r> = {}\nfor <x> in <v>:\n    <r>.setdefault(<x>[0], []).append(<x>)", "<r> = {}\nfor <x> in <v>:\n    if <x>[0] not in <r>:\n        <r>[<x>[0]] = []\n    <r>[<x>[0]].append(<x>)"]),
    _op("bylast", "groups", "group_by_last_letter", ["a dictionary from last letter to the list of those of <np> that end with it"], ["group them by last letter"], [], ["<r> = {}\nfor <x> in <v>:\n    <r>.setdefault(<x>[-1], []).append(<x>)"]),
    _op("total", "int", "total_length", ["the total length of <np>", "how many letters <np> have together"], ["add up their lengths"], ["sum(len(<x>) for <x> in <v>)"], ["<r> = 0\nfor <x> in <v>:\n    <r> += len(<x>)"]),
    _op("firstplaces", "dict", "first_positions", ["a dictionary from each of <np> to the index of its first appearance"], ["map each one to the index where it first appears"], [],
        ["<r> = {}\nfor <i>, <x> in enumerate(<v>):\n    if <x> not in <r>:\n        <r>[<x>] = <i>"]),
    *_tested(WORD_TESTS, "word"),
)

_TEXT = (
    _op("reverse", "text", "reversed", ["<np> in reverse order", "<np> backwards"], ["reverse the order", "put them in reverse order"], ["<v>[::-1]"], ["<r> = ''\nfor <x> in <v>:\n    <r> = <x> + <r>"]),
    _op("take", "text", "head prefix", ["the first <k> of <np>"], ["keep the first <k>"], ["<v>[:<k>]"], k="few"),
    _op("alternate", "text", "every_other", ["every second one of <np>, starting with the first"], ["keep every second one, starting with the first"], ["<v>[::2]"]),
    _op("unique", "text", "unique_letters", ["<np> without repeats, in order of first appearance"], ["drop the repeats, keeping the first of each"], ["''.join(dict.fromkeys(<v>))"], ["<r> = ''\nfor <x> in <v>:\n    if <x> not in <r>:\n        <r> += <x>"]),
    _op("sort", "text", "sorted_letters", ["<np> in sorted order", "<np>, sorted"], ["sort them"], ["''.join(sorted(<v>))"]),
    _op("distinct", "int", "count_distinct", ["the number of different ones among <np>"], ["count the distinct ones"], ["len(set(<v>))"]),
    _op("squeeze", "text", "squeezed", ["<np>, with neighbouring repeats reduced to one"], ["reduce each run of equal neighbours to one"], [], ["<r> = ''\nfor <x> in <v>:\n    if not <r> or <r>[-1] != <x>:\n        <r> += <x>"]),
    _op("palindrome", "bool", "is_palindrome", ["whether <np> read the same backwards"], ["check whether they read the same backwards"], ["<v> == <v>[::-1]"], [], ["<r> = <v>[::-1]\nreturn <v> == <r>"]),
    _op("letterplaces", "ints", "positions_of", ["the positions of <c> among <np>"], ["list the indexes at which <c> stands"], ["[<i> for <i>, <x> in enumerate(<v>) if <x> == <c>]"], c="letter"),
    _op("replace", "text", "replaced", ["<np> with every <c> replaced by <m>"], ["replace every <c> by <m>"], ["<v>.replace(<c>, <m>)"], ["<r> = ''\nfor <x> in <v>:\n    if <x> == <c>:\n        <r> += <m>\n    else:\n        <r> += <x>"], c="letter", m="mark"),
    _op("occurrences", "int", "count_letter", ["how often <c> occurs among <np>"], ["count how often <c> occurs"], ["<v>.count(<c>)"], ["<r> = 0\nfor <x> in <v>:\n    if <x> == <c>:\n        <r> += 1"], c="letter"),
    _op("firstsingle", "str", "first_unique", ["the first of <np> that occurs only once, or '' if there is none"], ["find the first one that occurs only once, '' if there is none"], [], [], ["for <x> in <v>:\n    if <v>.count(<x>) == 1:\n        return <x>\nreturn ''"]),
    _op("digitsum", "int", "digit_sum", ["the sum of the digits among <np>"], ["add up the digits"], ["sum(int(<x>) for <x> in <v> if <x>.isdigit())"], ["<r> = 0\nfor <x> in <v>:\n    if <x>.isdigit():\n        <r> += int(<x>)"]),
    _op("numbers", "ints", "digit_list", ["the digits among <np> as a list of numbers"], ["turn the digits into a list of numbers"], ["[int(<x>) for <x> in <v> if <x>.isdigit()]"], ["<r> = []\nfor <x> in <v>:\n    if <x>.isdigit():\n        <r>.append(int(<x>))"]),
    *_tested(CHAR_TESTS, "character"),
)

_ITEMS = (
    _op("sortvalue", "pairs", "sorted_by_value", ["<np> as (key, value) pairs sorted by value"], ["list the (key, value) pairs sorted by value"], ["sorted(<v>.items(), key=lambda item: item[1])"]),
    _op("sortvaluedown", "pairs", "by_value_desc", ["<np> as (key, value) pairs, largest value first"], ["list the (key, value) pairs with the largest value first"], ["sorted(<v>.items(), key=lambda item: -item[1])", "sorted(<v>.items(), key=lambda item: item[1], reverse=True)"]),
    _op("keysorted", "keys", "sorted_keys", ["the keys of <np> in sorted order"], ["list the keys in sorted order"], ["sorted(<v>)"]),
    _op("keysbyvalue", "keys", "keys_by_value", ["the keys of <np> sorted by their value"], ["list the keys sorted by their value"], ["sorted(<v>, key=<v>.get)", "sorted(<v>, key=lambda key: <v>[key])"]),
    _op("best", "key", "best_key", ["the key of <np> with the largest value, or None if there are none"], ["find the key with the largest value, None if there are none"], ["max(<v>, key=<v>.get, default=None)"], [],
        ["if not <v>:\n    return None\nreturn max(<v>, key=<v>.get)", "best = None\nfor <a>, <b> in <v>.items():\n    if best is None or <b> > <v>[best]:\n        best = <a>\nreturn best"]),
    _op("worst", "key", "lowest_key", ["the key of <np> with the smallest value, or None if there are none"], ["find the key with the smallest value, None if there are none"], ["min(<v>, key=<v>.get, default=None)"], [], ["if not <v>:\n    return None\nreturn min(<v>, key=<v>.get)"]),
    _op("inverted", "groups", "inverted", ["a dictionary from each value to the list of the keys of <np> that have it"], ["turn it around: map each value to the list of its keys"], [], ["<r> = {}\nfor <a>, <b> in <v>.items():\n    <r>.setdefault(<b>, []).append(<a>)"]),
)

_PAIRS = (
    _op("sortnumber", "pairs", "sorted_by_number", ["<np> sorted by number"], ["sort them by number"], ["sorted(<v>, key=lambda pair: pair[1])"]),
    _op("sortnumberdown", "pairs", "highest_first", ["<np> with the largest number first"], ["sort them so that the largest number comes first"], ["sorted(<v>, key=lambda pair: -pair[1])", "sorted(<v>, key=lambda pair: pair[1], reverse=True)"]),
    _op("sortname", "pairs", "sorted_by_name", ["<np> sorted by name"], ["sort them by name"], ["sorted(<v>, key=lambda pair: pair[0])"]),
    _op("totals", "dict", "totals", ["a dictionary from each name to the sum of its numbers in <np>", "the total for each name in <np> as a dictionary"], ["add up the numbers for each name in a dictionary"], [],
        ["<r> = {}\nfor <a>, <b> in <v>:\n    <r>[<a>] = <r>.get(<a>, 0) + <b>"]),
    _op("grouped", "groups", "grouped", ["a dictionary from each name to the list of its numbers in <np>"], ["group the numbers by name"], [], ["<r> = {}\nfor <a>, <b> in <v>:\n    <r>.setdefault(<a>, []).append(<b>)"]),
    _op("maxima", "dict", "best_per_name", ["a dictionary from each name to its largest number in <np>"], ["keep the largest number for each name in a dictionary"], [], ["<r> = {}\nfor <a>, <b> in <v>:\n    if <a> not in <r> or <b> > <r>[<a>]:\n        <r>[<a>] = <b>"]),
    _op("tally", "dict", "count_names", ["a dictionary that counts how often each name occurs in <np>"], ["count how often each name occurs in a dictionary"], [], ["<r> = {}\nfor <a>, <b> in <v>:\n    <r>[<a>] = <r>.get(<a>, 0) + 1"]),
    _op("asdict", "dict", "to_dict", ["a dictionary made of <np>"], ["turn them into a dictionary"], ["dict(<v>)"], ["<r> = {}\nfor <a>, <b> in <v>:\n    <r>[<a>] = <b>"]),
    _op("winner", "str", "winner", ["the name with the largest number in <np>, or '' if there are none"], ["find the name with the largest number, '' if there are none"], [], [], ["if not <v>:\n    return ''\nreturn max(<v>, key=lambda pair: pair[1])[0]"]),
)

_ROWS = (
    _op("flat", "ints", "flat flattened", ["all numbers in <np>", "the numbers of <np> in one list"], ["put all numbers into one list", "flatten them"], ["[<y> for <x> in <v> for <y> in <x>]"], ["<r> = []\nfor <x> in <v>:\n    <r>.extend(<x>)", "<r> = []\nfor <x> in <v>:\n    for <y> in <x>:\n        <r>.append(<y>)"]),
    _op("columns", "ints", "column_sums", ["the column sums of <np>"], ["add up each column"], ["[sum(col) for col in zip(*<v>)]"]),
    _op("colmax", "ints", "column_max", ["the largest number of each column of <np>"], ["take the largest of each column"], ["[max(col) for col in zip(*<v>)]"]),
    _op("transpose", "rows", "transposed", ["<np> with rows and columns swapped"], ["swap rows and columns"], ["[list(col) for col in zip(*<v>)]"]),
    _op("sortsum", "rows", "sorted_by_sum", ["<np> sorted by their sum"], ["sort them by their sum"], ["sorted(<v>, key=sum)"]),
    _op("sortlen", "rows", "sorted_by_length", ["<np> sorted by their length"], ["sort them by their length"], ["sorted(<v>, key=len)"]),
    _op("reverse", "rows", "reversed", ["<np> in reverse order"], ["reverse the order"], ["<v>[::-1]"]),
    _op("richest", "row", "richest_row", ["the one of <np> with the largest sum, or [] if there are none"], ["find the one with the largest sum, [] if there are none"], ["max(<v>, key=sum, default=[])"], [], ["if not <v>:\n    return []\nreturn max(<v>, key=sum)"]),
)

_GROUPS = (
    _op("sizes", "tally", "group_sizes", ["the size of each group in <np>"], ["replace each list by its length"], ["{<a>: len(<b>) for <a>, <b> in <v>.items()}"]),
    _op("bigger", "groups", "large_groups", ["the groups of <np> that have more than one member"], ["keep only the groups with more than one member"], ["{<a>: <b> for <a>, <b> in <v>.items() if len(<b>) > 1}"]),
    _op("sortedgroups", "groups", "sorted_groups", ["<np> with each list sorted"], ["sort each list"], ["{<a>: sorted(<b>) for <a>, <b> in <v>.items()}"]),
)

_NUMBER = (
    _op("isgt", "bool", "exceeds", ["whether <np> is greater than <k>"], ["check whether the result is greater than <k>"], ["<v> > <k>"], k="int"),
    _op("iseven", "bool", "is_even", ["whether <np> is even"], ["check whether the result is even"], ["<v> % 2 == 0"]),
    _op("label", "str", "label", ["'<w1>' if <np> is greater than <k>, otherwise '<w2>'"], ["return '<w1>' if the result is greater than <k>, otherwise '<w2>'"], ["'<w1>' if <v> > <k> else '<w2>'"], [],
        ["if <v> > <k>:\n    return '<w1>'\nreturn '<w2>'"], k="int", w1="hot", w2="cold"),
    _op("timesk", "int", "scaled", ["<np>, multiplied by <k>"], ["multiply the result by <k>"], ["<v> * <k>"], k="int"),
    _op("minusk", "int", "less", ["<np>, minus <k>"], ["subtract <k> from the result"], ["<v> - <k>"], k="int"),
)

_TWO_LISTS = (
    _op("addpairs", "ints", "add_lists pairwise_sum", ["the sums of the numbers at equal places of <np>", "the elementwise sum of <np>"], ["add the numbers at equal places"], ["[a + b for a, b in zip(<v>, <w>)]"],
        ["<r> = []\nfor a, b in zip(<v>, <w>):\n    <r>.append(a + b)"]),
    _op("mulpairs", "ints", "multiply_lists products", ["the products of the numbers at equal places of <np>", "the elementwise product of <np>"], ["multiply the numbers at equal places"], ["[a * b for a, b in zip(<v>, <w>)]"],
        ["<r> = []\nfor a, b in zip(<v>, <w>):\n    <r>.append(a * b)"]),
    _op("subpairs", "ints", "subtract_lists", ["the differences of the numbers at equal places of <np>, first minus second"], ["subtract the second list from the first place by place"], ["[a - b for a, b in zip(<v>, <w>)]"]),
    _op("maxpairs", "ints", "pairwise_max", ["the larger number at each place of <np>", "the elementwise maximum of <np>"], ["take the larger number at each place"], ["[max(a, b) for a, b in zip(<v>, <w>)]"]),
    _op("common", "ints", "common shared", ["the numbers of the first list that are also in the second, given <np>", "the numbers that both lists share, in the order of the first, given <np>"], ["keep the numbers of the first list that are also in the second"], ["[<x> for <x> in <v> if <x> in <w>]"],
        ["<r> = []\nfor <x> in <v>:\n    if <x> in <w>:\n        <r>.append(<x>)"]),
    _op("onlyfirst", "ints", "only_in_first missing", ["the numbers of the first list that are not in the second, given <np>"], ["keep the numbers of the first list that are not in the second"], ["[<x> for <x> in <v> if <x> not in <w>]"],
        ["<r> = []\nfor <x> in <v>:\n    if <x> not in <w>:\n        <r>.append(<x>)"]),
    _op("concat", "ints", "joined_lists both", ["the numbers of <np> in one list"], ["put the second list behind the first"], ["<v> + <w>"]),
    _op("interleave", "ints", "interleaved", ["the numbers of <np> taken in turn, first list first"], ["take a number from each list in turn"], ["[<x> for pair in zip(<v>, <w>) for <x> in pair]"], ["<r> = []\nfor a, b in zip(<v>, <w>):\n    <r>.append(a)\n    <r>.append(b)"]),
    _op("agree", "int", "count_equal matches", ["how many places of <np> hold equal numbers"], ["count the places that hold equal numbers"], ["sum(1 for a, b in zip(<v>, <w>) if a == b)"], ["<r> = 0\nfor a, b in zip(<v>, <w>):\n    if a == b:\n        <r> += 1"]),
)

OPERATIONS: dict[str, tuple[Operation, ...]] = {
    "twoints": _TWO_LISTS, "ints": _INTS, "words": _WORDS, "text": _TEXT, "dict": _ITEMS, "tally": _ITEMS, "pairs": _PAIRS,
    "rows": _ROWS, "groups": _GROUPS, "int": _NUMBER,
}

_TALLY = Fold("tally", "tally", ("tally", "counts"), ("a dictionary that counts how often each of <np> occurs", "a dictionary from each of <np> to how often it occurs"),
              ("count how often each one occurs, in a dictionary", "tally them in a dictionary"), (), (), "{}", "<r>[<e>] = <r>.get(<e>, 0) + 1")
_COUNT = Fold("count", "int", ("count", "num"), ("the number of <np>", "how many of <np> there are", "the count of <np>"),
              ("count them", "return how many there are"), ("len(<v>)",), ("sum(1 <for>)", "len([<e> <for>])"), "0", "<r> += 1")

FOLDS: dict[str, tuple[Fold, ...]] = {
    "ints": (
        Fold("sum", "int", ("sum", "total"), ("the sum of <np>", "the total of <np>"), ("add them up", "return their sum", "sum the results"), ("sum(<v>)",), ("sum(<e> <for>)",), "0", "<r> += <e>"),
        _COUNT,
        Fold("product", "int", ("product",), ("the product of <np>", "the result of multiplying <np> together"), ("multiply them all together", "return their product"), (), (), "1", "<r> *= <e>"),
        Fold("max", "int", ("max", "largest"), ("the largest of <np>, or <d> if there are none", "the maximum of <np>, <d> when there are none"), ("return the largest, or <d> if there are none",),
             ("max(<v>, default=<d>)", "max(<v>) if <v> else <d>"), ("max((<e> <for>), default=<d>)",), "None", "if <r> is None or <e> > <r>:\n    <r> = <e>", {"d": "default"}),
        Fold("min", "int", ("min", "smallest"), ("the smallest of <np>, or <d> if there are none", "the minimum of <np>, <d> when there are none"), ("return the smallest, or <d> if there are none",),
             ("min(<v>, default=<d>)", "min(<v>) if <v> else <d>"), ("min((<e> <for>), default=<d>)",), "None", "if <r> is None or <e> < <r>:\n    <r> = <e>", {"d": "default"}),
        _TALLY,
    ),
    "words": (_COUNT, _TALLY),
    "text": (_COUNT, _TALLY),
    "pairs": (_COUNT,),
    "rows": (_COUNT,),
    "dict": (_COUNT,),
}
