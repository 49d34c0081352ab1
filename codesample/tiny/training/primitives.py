"""The element-level vocabulary of the corpus: predicates and maps, each with its code and its wordings.

Templates name their slots in angle brackets: `<x>` is the element, any other slot is a constant whose
kind `Constant` values give. A wording is English that a docstring may use for the same thing.
"""

# A row per operation reads better than a field per line.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["CHAR_MAPS", "CHAR_TESTS", "INT_MAPS", "INT_TESTS", "ITEM_MAPS", "PAIR_MAPS", "ROW_MAPS", "ROW_TESTS", "WORD_MAPS", "WORD_TESTS", "ElementMap", "Test"]


@dataclass(frozen=True, slots=True)
class Test:
    """A yes/no question about one element.

    Attributes:
        key: Canonical name; part of a composition's signature.
        code: Boolean expression over `<x>`.
        verbs: Wordings for one element, such as "is even".
        posts: Wordings that follow a plural noun, such as "greater than <k>".
        adjective: Word that precedes the noun, if there is one.
        negated: Code of the opposite, for loops that leave early.
        constants: Slot name to constant kind.
    """

    key: str
    code: str
    verbs: tuple[str, ...]
    posts: tuple[str, ...]
    adjective: str = ""
    negated: str = ""
    constants: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ElementMap:
    """A function of one element.

    Attributes:
        key: Canonical name; part of a composition's signature.
        code: Expression over `<x>`.
        nouns: Wordings that take a noun phrase `<np>`, such as "the squares of <np>".
        verbs: Imperative wordings, such as "square each one".
        kind: Element type of the result, "int" or "str"; "" when it is that of the argument.
        constants: Slot name to constant kind.
    """

    key: str
    code: str
    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    kind: str = ""
    constants: dict[str, str] = field(default_factory=dict)


INT_TESTS = (
    Test("even", "<x> % 2 == 0", ("is even",), ("that are even",), "even", "<x> % 2 != 0"),
    Test("odd", "<x> % 2 == 1", ("is odd",), ("that are odd",), "odd", "<x> % 2 == 0"),
    Test("positive", "<x> > 0", ("is positive", "is above zero"), ("above zero", "that are positive"), "positive", "<x> <= 0"),
    Test("negative", "<x> < 0", ("is negative", "is below zero"), ("below zero", "that are negative"), "negative", "<x> >= 0"),
    Test("nonzero", "<x> != 0", ("is not zero",), ("that are not zero", "other than zero"), "non-zero", "<x> == 0"),
    Test("gt", "<x> > <k>", ("is greater than <k>", "exceeds <k>", "is above <k>"),
         ("greater than <k>", "above <k>", "larger than <k>", "over <k>", "that exceed <k>", "bigger than <k>"),
         "", "<x> <= <k>", {"k": "int"}),
    Test("lt", "<x> < <k>", ("is less than <k>", "is below <k>"),
         ("less than <k>", "below <k>", "smaller than <k>", "under <k>"), "", "<x> >= <k>", {"k": "int"}),
    Test("ge", "<x> >= <k>", ("is at least <k>", "is <k> or more"),
         ("that are at least <k>", "of at least <k>", "no smaller than <k>"), "", "<x> < <k>", {"k": "int"}),
    Test("le", "<x> <= <k>", ("is at most <k>", "is <k> or less"),
         ("that are at most <k>", "of at most <k>", "not above <k>"), "", "<x> > <k>", {"k": "int"}),
    Test("divisible", "<x> % <k> == 0", ("is divisible by <k>", "is a multiple of <k>"),
         ("divisible by <k>", "that are multiples of <k>", "that <k> divides"), "", "<x> % <k> != 0", {"k": "div"}),
    Test("indivisible", "<x> % <k> != 0", ("is not divisible by <k>",),
         ("not divisible by <k>", "that are not multiples of <k>"), "", "<x> % <k> == 0", {"k": "div"}),
    Test("other", "<x> != <k>", ("is not equal to <k>", "differs from <k>"),
         ("different from <k>", "not equal to <k>", "other than <k>"), "", "<x> == <k>", {"k": "int"}),
    Test("between", "<lo> <= <x> <= <hi>", ("is between <lo> and <hi>", "lies from <lo> to <hi>"),
         ("between <lo> and <hi>", "from <lo> to <hi>"), "", "<x> < <lo> or <x> > <hi>", {"lo": "low", "hi": "high"}),
    Test("endsin", "<x> % 10 == <k>", ("ends in <k>", "has the last digit <k>"),
         ("ending in <k>", "whose last digit is <k>"), "", "<x> % 10 != <k>", {"k": "digit"}),
)

INT_MAPS = (
    ElementMap("square", "<x> * <x>", ("the squares of <np>", "<np> squared"), ("square each one", "square them")),
    ElementMap("cube", "<x> ** 3", ("the cubes of <np>",), ("cube each one", "raise each to the third power")),
    ElementMap("double", "<x> * 2", ("twice <np>", "<np> doubled", "the doubles of <np>"), ("double each one", "double them")),
    ElementMap("triple", "<x> * 3", ("<np> tripled", "three times <np>"), ("triple each one", "multiply each by three")),
    ElementMap("plus", "<x> + <k>", ("<np> increased by <k>", "<np>, each plus <k>"), ("add <k> to each one", "increase each by <k>"), "", {"k": "int"}),
    ElementMap("minus", "<x> - <k>", ("<np> decreased by <k>", "<np>, each minus <k>"), ("subtract <k> from each one", "lower each by <k>"), "", {"k": "int"}),
    ElementMap("times", "<x> * <k>", ("<np> multiplied by <k>", "<np> scaled by <k>"), ("multiply each one by <k>", "scale each by <k>"), "", {"k": "int"}),
    ElementMap("abs", "abs(<x>)", ("the absolute values of <np>", "<np> without their sign"), ("take the absolute value of each", "drop the sign of each")),
    ElementMap("negate", "-<x>", ("<np> negated", "the opposites of <np>"), ("negate each one", "flip the sign of each")),
    ElementMap("mod", "<x> % <k>", ("the remainders of <np> divided by <k>", "<np> modulo <k>"), ("take each modulo <k>", "replace each by its remainder after division by <k>"), "", {"k": "div"}),
    ElementMap("half", "<x> // 2", ("the halves of <np>, rounded down", "<np> halved with floor division"), ("halve each one, rounding down", "floor-divide each by two")),
    ElementMap("lastdigit", "abs(<x>) % 10", ("the last digits of <np>",), ("take the last digit of each", "reduce each to its last digit")),
    ElementMap("cap", "min(<x>, <k>)", ("<np> capped at <k>", "<np> limited to at most <k>"), ("cap each at <k>", "lower anything above <k> to <k>"), "", {"k": "int"}),
    ElementMap("floor", "max(<x>, <k>)", ("<np> raised to at least <k>",), ("raise anything below <k> to <k>",), "", {"k": "int"}),
    ElementMap("digits", "len(str(abs(<x>)))", ("the digit counts of <np>", "the number of digits of each of <np>"), ("count the digits of each",)),
    ElementMap("text", "str(<x>)", ("<np> as strings", "<np> converted to text"), ("turn each into a string", "convert each to text"), "str"),
)

WORD_TESTS = (
    Test("longer", "len(<x>) > <k>", ("is longer than <k>", "has more than <k> letters"),
         ("longer than <k>", "with more than <k> letters", "of more than <k> characters"), "", "len(<x>) <= <k>", {"k": "len"}),
    Test("shorter", "len(<x>) < <k>", ("is shorter than <k>", "has fewer than <k> letters"),
         ("shorter than <k>", "with fewer than <k> letters", "of less than <k> characters"), "", "len(<x>) >= <k>", {"k": "len"}),
    Test("length", "len(<x>) == <k>", ("has length <k>", "has exactly <k> letters"),
         ("of length <k>", "with exactly <k> letters"), "", "len(<x>) != <k>", {"k": "len"}),
    Test("starts", "<x>.startswith(<c>)", ("starts with <c>", "begins with <c>"),
         ("starting with <c>", "that begin with <c>"), "", "not <x>.startswith(<c>)", {"c": "letter"}),
    Test("ends", "<x>.endswith(<c>)", ("ends with <c>",),
         ("ending with <c>", "that end with <c>"), "", "not <x>.endswith(<c>)", {"c": "letter"}),
    Test("has", "<c> in <x>", ("contains <c>", "has a <c>"),
         ("containing <c>", "that contain <c>", "with <c> in them"), "", "<c> not in <x>", {"c": "letter"}),
    Test("hasnot", "<c> not in <x>", ("does not contain <c>", "lacks <c>"),
         ("without <c>", "that do not contain <c>", "free of <c>"), "", "<c> in <x>", {"c": "letter"}),
    Test("capital", "<x>[0].isupper()", ("starts with a capital letter",),
         ("that start with a capital letter", "beginning in upper case"), "capitalised", "not <x>[0].isupper()"),
    Test("lower", "<x>.islower()", ("is all lower case",), ("in lower case", "that are all lower case"), "lower-case", "not <x>.islower()"),
    Test("vowelstart", "<x>[0].lower() in 'aeiou'", ("starts with a vowel",),
         ("starting with a vowel", "that begin with a vowel"), "", "<x>[0].lower() not in 'aeiou'"),
    Test("evenlen", "len(<x>) % 2 == 0", ("has an even length",), ("of even length", "whose length is even"), "", "len(<x>) % 2 == 1"),
    Test("palindrome", "<x> == <x>[::-1]", ("is a palindrome", "reads the same backwards"),
         ("that are palindromes", "that read the same backwards"), "palindromic", "<x> != <x>[::-1]"),
)

WORD_MAPS = (
    ElementMap("upper", "<x>.upper()", ("<np> in upper case", "<np> upper-cased"), ("upper-case each one", "turn each to upper case")),
    ElementMap("lower", "<x>.lower()", ("<np> in lower case", "<np> lower-cased"), ("lower-case each one", "turn each to lower case")),
    ElementMap("capitalize", "<x>.capitalize()", ("<np> capitalised", "<np> with a capital first letter"), ("capitalise each one",)),
    ElementMap("reversed", "<x>[::-1]", ("<np> spelled backwards", "<np>, each reversed"), ("reverse each one", "spell each backwards")),
    ElementMap("first", "<x>[0]", ("the first letters of <np>", "the initials of <np>"), ("take the first letter of each", "reduce each to its initial")),
    ElementMap("last", "<x>[-1]", ("the last letters of <np>", "the final characters of <np>"), ("take the last letter of each",)),
    ElementMap("len", "len(<x>)", ("the lengths of <np>", "the letter counts of <np>"), ("take the length of each", "measure each one"), "int"),
    ElementMap("count", "<x>.count(<c>)", ("how often <c> occurs in each of <np>", "the counts of <c> in <np>"), ("count <c> in each one",), "int", {"c": "letter"}),
    ElementMap("prefix", "<x>[:<k>]", ("the first <k> letters of <np>", "<np> cut to <k> letters"), ("cut each to its first <k> letters", "keep the first <k> letters of each"), "", {"k": "len"}),
    ElementMap("suffix", "<x> + <c>", ("<np> with <c> added at the end", "<np> followed by <c>"), ("append <c> to each one", "add <c> to the end of each"), "", {"c": "mark"}),
    ElementMap("twice", "<x> + <x>", ("<np> written twice", "<np>, each repeated twice"), ("write each one twice", "double the text of each")),
    ElementMap("without", "<x>.replace(<c>, '')", ("<np> with every <c> removed",), ("remove every <c> from each", "delete <c> from each one"), "", {"c": "letter"}),
)

CHAR_TESTS = (
    Test("vowel", "<x> in 'aeiou'", ("is a vowel",), ("that are vowels", "among the vowels"), "", "<x> not in 'aeiou'"),
    Test("nonvowel", "<x> not in 'aeiou'", ("is not a vowel",), ("that are not vowels", "other than vowels"), "", "<x> in 'aeiou'"),
    Test("digit", "<x>.isdigit()", ("is a digit",), ("that are digits",), "", "not <x>.isdigit()"),
    Test("nondigit", "not <x>.isdigit()", ("is not a digit",), ("that are not digits", "other than digits"), "", "<x>.isdigit()"),
    Test("alpha", "<x>.isalpha()", ("is a letter",), ("that are letters",), "alphabetic", "not <x>.isalpha()"),
    Test("upper", "<x>.isupper()", ("is upper case",), ("in upper case", "that are capitals"), "upper-case", "not <x>.isupper()"),
    Test("lower", "<x>.islower()", ("is lower case",), ("in lower case",), "lower-case", "not <x>.islower()"),
    Test("nonspace", "<x> != ' '", ("is not a space",), ("that are not spaces", "other than spaces"), "", "<x> == ' '"),
    Test("not", "<x> != <c>", ("differs from <c>",), ("other than <c>", "different from <c>"), "", "<x> == <c>", {"c": "letter"}),
    Test("is", "<x> == <c>", ("equals <c>",), ("equal to <c>",), "", "<x> != <c>", {"c": "letter"}),
    Test("after", "<x> > <c>", ("comes after <c>",), ("that come after <c>",), "", "<x> <= <c>", {"c": "letter"}),
)

CHAR_MAPS = (
    ElementMap("upper", "<x>.upper()", ("<np> in upper case",), ("upper-case each one",)),
    ElementMap("lower", "<x>.lower()", ("<np> in lower case",), ("lower-case each one",)),
    ElementMap("swap", "<x>.swapcase()", ("<np> with swapped case",), ("swap the case of each",)),
    ElementMap("double", "<x> * 2", ("<np>, each doubled", "<np>, each written twice"), ("write each one twice", "double each one")),
    ElementMap("repeat", "<x> * <k>", ("<np>, each repeated <k> times",), ("repeat each one <k> times",), "", {"k": "few"}),
    ElementMap("then", "<x> + <c>", ("<np>, each followed by <c>",), ("put <c> after each one", "add <c> behind each"), "", {"c": "mark"}),
)

ROW_TESTS = (
    Test("sumgt", "sum(<x>) > <k>", ("has a sum greater than <k>", "adds up to more than <k>"),
         ("with a sum greater than <k>", "whose sum exceeds <k>"), "", "sum(<x>) <= <k>", {"k": "int"}),
    Test("longer", "len(<x>) > <k>", ("has more than <k> items",), ("with more than <k> items", "longer than <k>"), "", "len(<x>) <= <k>", {"k": "few"}),
    Test("nonempty", "<x>", ("is not empty",), ("that are not empty",), "non-empty", "not <x>"),
    Test("has", "<k> in <x>", ("contains <k>",), ("containing <k>", "that contain <k>"), "", "<k> not in <x>", {"k": "int"}),
    Test("evensum", "sum(<x>) % 2 == 0", ("has an even sum",), ("with an even sum", "whose sum is even"), "", "sum(<x>) % 2 == 1"),
)

ROW_MAPS = (
    ElementMap("sum", "sum(<x>)", ("the sums of <np>", "the total of each of <np>"), ("add up each one",), "int"),
    ElementMap("max", "max(<x>)", ("the largest number of each of <np>", "the maxima of <np>"), ("take the largest of each",), "int"),
    ElementMap("min", "min(<x>)", ("the smallest number of each of <np>", "the minima of <np>"), ("take the smallest of each",), "int"),
    ElementMap("len", "len(<x>)", ("the lengths of <np>", "the size of each of <np>"), ("take the length of each",), "int"),
    ElementMap("first", "<x>[0]", ("the first number of each of <np>",), ("take the first of each",), "int"),
    ElementMap("last", "<x>[-1]", ("the last number of each of <np>",), ("take the last of each",), "int"),
    ElementMap("sorted", "sorted(<x>)", ("<np>, each one sorted",), ("sort each one",)),
    ElementMap("reversed", "<x>[::-1]", ("<np>, each one reversed",), ("reverse each one",)),
)

PAIR_MAPS = (
    ElementMap("names", "<a>", ("the names of <np>", "the names in <np>"), ("take the names",), "str"),
    ElementMap("numbers", "<b>", ("the numbers of <np>", "the numbers in <np>"), ("take the numbers",), "int"),
)

ITEM_MAPS = (
    ElementMap("names", "<a>", ("the keys of <np>", "a list of the keys of <np>"), ("take the keys",), "str"),
    ElementMap("numbers", "<b>", ("the values of <np>", "a list of the values of <np>"), ("take the values",), "int"),
)
