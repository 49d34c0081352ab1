"""What of the standard library tests may use and stay apart from their program, and how each thing acts.

Whatever is not here makes tests weak: it could change or show the state of the interpreter, hand the
program what cannot cross, or ask of an object what only the object itself could answer.
"""

from __future__ import annotations

import builtins
import importlib
import re

__all__ = [
    "ASKED_ERRORS",
    "BOUND_TO_DATA",
    "CONCRETE_TYPES",
    "FOREIGN_STATE",
    "STORING_METHODS",
    "STREAM_METHODS",
    "exported_names",
    "known_modules",
    "library_action",
    "library_names",
]


def _table(**actions: str) -> dict[str, str]:
    return {name: action for action, names in actions.items() for name in names.split()}


# Actions are the methods of `form_calls.Calls` of that name, but for these: "data" is a constant, "error"
# an exception's class, "idea" a class that is not called, "shape" what makes or adorns the tests' own
# classes and functions.
_BUILTINS = _table(
    data="NotImplemented Ellipsis __debug__",
    plain="bin bytes chr complex float hash hex int oct ord range",
    number="abs divmod pow round sum",
    pure="bytearray",
    show="ascii format repr str",
    display="print",
    gather="list tuple",
    hashed="dict frozenset set",
    truth="all any bool",
    order="max min sorted",
    walk="enumerate zip",
    turn="reversed",
    step="next",
    begin="iter",
    measure="len",
    apply="map",
    sift="filter",
    instance="isinstance",
    subclass="issubclass",
    kind="type",
    fetch="getattr",
    probe="hasattr",
    attach="setattr",
    can_call="callable",
    opaque="object slice",
    shape="classmethod property staticmethod",
)
# what the tests see of them may differ from one process to two, or ends the tests
_UNCAUGHT = frozenset(
    {
        "BaseExceptionGroup",
        "ExceptionGroup",
        "GeneratorExit",
        "KeyboardInterrupt",
        "MemoryError",
        "SystemExit",
    }
)
_BUILTINS |= {
    name: "error"
    for name, found in vars(builtins).items()
    if isinstance(found, type) and issubclass(found, BaseException) and not issubclass(found, Warning)
    if name not in _UNCAUGHT
}

_MODULES: dict[str, dict[str, str]] = {
    "__future__": _table(data="annotations division generator_stop print_function unicode_literals"),
    "base64": _table(
        plain="""b16decode b16encode b32decode b32encode b64decode b64encode b85decode b85encode
        standard_b64decode standard_b64encode urlsafe_b64decode urlsafe_b64encode"""
    ),
    "bisect": _table(plain="bisect bisect_left bisect_right", store="insort insort_left insort_right"),
    "calendar": _table(
        plain="isleap leapdays monthrange timegm weekday",
        data="FRIDAY MONDAY SATURDAY SUNDAY THURSDAY TUESDAY WEDNESDAY",
    ),
    "cmath": _table(
        data="e inf infj nan nanj pi tau",
        plain="""acos acosh asin asinh atan atanh cos cosh exp isclose isfinite isinf isnan log log10 phase
        polar rect sin sinh sqrt tan tanh""",
    ),
    "collections": _table(
        hashed="Counter OrderedDict", factory="defaultdict", pure="deque", record="namedtuple"
    ),
    "collections.abc": _table(
        idea="""Awaitable Callable Collection Container Coroutine Generator Hashable Iterable Iterator
        Mapping MutableMapping MutableSequence MutableSet Reversible Sequence Set Sized"""
    ),
    "contextlib": _table(capture="redirect_stdout", expect="suppress", nothing="nullcontext"),
    "copy": _table(duplicate="copy deepcopy"),
    "dataclasses": _table(shape="dataclass field"),
    "datetime": _table(plain="date datetime time timedelta timezone", data="MAXYEAR MINYEAR UTC"),
    "decimal": _table(
        precise="Decimal",
        data="""ROUND_05UP ROUND_CEILING ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN ROUND_HALF_EVEN
        ROUND_HALF_UP ROUND_UP""",
    ),
    "enum": _table(shape="Enum Flag IntEnum IntFlag StrEnum auto unique"),
    "fractions": _table(plain="Fraction"),
    "functools": _table(
        fold="reduce", bind="partial", shape="cache lru_cache total_ordering wraps cached_property"
    ),
    "hashlib": _table(opaque="blake2b blake2s md5 sha1 sha224 sha256 sha384 sha3_256 sha3_512 sha512 new"),
    "heapq": _table(
        store="heapify heappop heappush heappushpop heapreplace", order="nlargest nsmallest", pure="merge"
    ),
    "io": _table(stream="StringIO"),
    "itertools": _table(
        walk="""chain combinations combinations_with_replacement compress count cycle islice pairwise
        permutations product repeat tee zip_longest batched chain.from_iterable""",
        group="accumulate groupby",
        sift="dropwhile filterfalse takewhile",
        spread="starmap",
    ),
    "json": _table(pure="dumps loads"),
    "math": _table(
        data="e inf nan pi tau",
        plain="""acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist erf erfc
        exp exp2 expm1 fabs factorial floor fma fmod frexp fsum gamma gcd hypot isclose isfinite isinf isnan
        isqrt lcm ldexp lgamma log log10 log1p log2 modf nextafter perm pow prod radians remainder sin sinh
        sqrt sumprod tan tanh trunc ulp""",
    ),
    "numbers": _table(idea="Complex Integral Number Rational Real"),
    "operator": _table(
        number="""abs add and_ floordiv inv invert lshift matmul mod mul neg or_ pos pow rshift sub truediv
        xor concat""",
        plain="countOf eq ge gt index indexOf le length_hint lt ne",
        truth="not_ truth",
        pure="contains getitem",
        pick="itemgetter",
        look="attrgetter",
    ),
    "pytest": _table(raises="raises", approx="approx", plain="fail"),
    "random": _table(
        opaque="Random",
        pure="""betavariate choice choices expovariate gammavariate gauss getrandbits lognormvariate
        normalvariate paretovariate randbytes randint random randrange sample triangular uniform
        vonmisesvariate weibullvariate""",
        store="shuffle",
    ),
    "re": _table(
        data="A ASCII DOTALL I IGNORECASE M MULTILINE S U UNICODE VERBOSE X",
        pure="escape findall split sub subn",
        opaque="compile finditer fullmatch match search",
    ),
    "statistics": _table(
        number="""correlation covariance fmean geometric_mean harmonic_mean linear_regression mean median
        median_grouped median_high median_low pstdev pvariance quantiles stdev variance""",
        pure="mode multimode",
    ),
    "string": _table(
        data="""ascii_letters ascii_lowercase ascii_uppercase digits hexdigits octdigits printable punctuation
        whitespace""",
        plain="capwords",
    ),
    "sys": _table(
        data="""byteorder float_info float_repr_style hash_info hexversion int_info maxsize
        maxunicode platform version version_info""",
        output="stderr stdout __stdout__",
        weigh="getsizeof",
    ),
    "textwrap": _table(plain="dedent fill indent shorten wrap"),
    "time": _table(
        data="timezone",
        plain="""asctime ctime gmtime localtime mktime monotonic monotonic_ns perf_counter perf_counter_ns
        strftime strptime time time_ns""",
        wait="sleep",
    ),
    "typing": _table(
        idea="""AbstractSet Annotated Any AnyStr Awaitable Callable ClassVar Collection Concatenate Container
        Counter DefaultDict Deque Dict Final FrozenSet Generator Generic Hashable Iterable Iterator List
        Literal Mapping MutableMapping MutableSequence MutableSet Never NoReturn Optional OrderedDict
        ParamSpec Protocol Self Sequence Set Sized SupportsFloat SupportsIndex SupportsInt Text Tuple Type
        TypeAlias TypeGuard Union""",
        variable="NewType TypeVar",
        data="TYPE_CHECKING",
        shape="NamedTuple final overload",
    ),
    "uuid": _table(
        plain="UUID uuid1 uuid3 uuid4 uuid5", data="NAMESPACE_DNS NAMESPACE_OID NAMESPACE_URL NAMESPACE_X500"
    ),
}

CONCRETE_TYPES = frozenset(
    [
        "builtins.bool",
        "builtins.bytes",
        "builtins.complex",
        "builtins.dict",
        "builtins.float",
        "builtins.frozenset",
        "builtins.int",
        "builtins.list",
        "builtins.range",
        "builtins.set",
        "builtins.str",
        "builtins.tuple",
        "collections.Counter",
        "collections.OrderedDict",
        "collections.defaultdict",
        "collections.deque",
        "datetime.date",
        "datetime.datetime",
        "datetime.time",
        "datetime.timedelta",
        "decimal.Decimal",
        "fractions.Fraction",
        "uuid.UUID",
    ]
)
"""Types of data that crosses as what it is."""

BOUND_TO_DATA = frozenset(
    name
    for kind in (str, bytes, int, float, complex, list, tuple, dict, set, frozenset, range)
    for name, found in vars(kind).items()
    if callable(found) and not name.startswith("__")
) | {"appendleft", "popleft", "extendleft", "rotate", "most_common", "elements", "move_to_end", "subtract"}
"""Names that stand for methods where the value is data."""

STORING_METHODS = frozenset(
    ["add", "append", "appendleft", "extend", "extendleft", "insert", "setdefault", "update"]
)
"""Methods of data that put their arguments into it."""

STREAM_METHODS = frozenset(
    ["flush", "getvalue", "read", "readline", "readlines", "seek", "tell", "truncate", "write"]
)

ASKED_ERRORS = frozenset({"args"})
"""Attributes that an exception of the program brings along."""

FOREIGN_STATE = re.compile(
    r"seed|random|^set|_set|err(state|call)|manual|patch|mock|freez|config|option|backend|register|enable|"
    r"disable|default|monkey|hook|^reset|^init|environ|^use$|^rc|context",
    re.IGNORECASE,
)
"""Names in other packages that may stand for state which the program would share."""


def library_action(module: str, name: str) -> str | None:
    """Return how `name` of a standard module acts; None where it is not known, or the module is not.

    Args:
        module: "builtins", or a dotted name.
        name: A name in it, or a dotted one for what a class of it holds.
    """
    table = _BUILTINS if module == "builtins" else _MODULES.get(module)
    if table is None:
        return None
    action = table.get(name)
    kind, _, method = name.rpartition(".")
    if action is None and table.get(kind) is not None and not method.startswith("__"):
        # what hangs on a class: another way to make one, or a method as a function
        return "pure"
    return action


def library_names(module: str) -> list[str] | None:
    """Return the names known of a standard module; None for one that tests may not use."""
    found = _MODULES.get(module)
    return None if found is None else [name for name in found if "." not in name]


def known_modules() -> list[str]:
    """Return the modules that tests may use."""
    return list(_MODULES)


def exported_names(module: str) -> list[str]:
    """Return the names that a star imports from one of the modules known here."""
    found = vars(importlib.import_module(module))
    return list(found.get("__all__") or (name for name in found if not name.startswith("_")))
