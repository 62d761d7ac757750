"""Quantities of the API ("100m", "1.5Gi", "2e3"), exactly: integers of 10^-9.

The grammar is a signed decimal number and a suffix: binary Ki..Ei (powers of 1024), decimal n u m
k M G T P E (powers of 1000), or an exponent e or E with a signed integer. What is finer than nano
is rounded away from zero, and magnitudes are capped at 2^63 - 1, as the API server does. It rounds
amounts of resources up to thousandths, each by itself.
"""

from __future__ import annotations

import re
from typing import Any, Final

from cpsched.errors import InputError
from cpsched.instances.formats.native import describe
from cpsched.instances.kubernetes import fields

NANO: Final = 10**9
MAX_QUANTITY: Final = (2**63 - 1) * NANO

#: Amounts are whole multiples of this.
MILLI: Final = 10**6

_LONGEST = 128
_FORM = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+)|([A-Za-z]{0,2}))")
_SUFFIXES: Final[dict[str, tuple[int, int]]] = {
    "": (10, 0),
    "n": (10, -9),
    "u": (10, -6),
    "m": (10, -3),
    **{suffix: (10, 3 * power) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": (2, 10 * power) for power, suffix in enumerate("KMGTPE", start=1)},
}
#: Beyond this exponent a number with at most _LONGEST digits is capped, or rounds up to 1 nano.
_EXPONENT = 200


def parse(value: Any, path: str) -> int:
    """Quantity *value* (text, or a bare number) in units of 10^-9.

    Raises
    ------
    InputError
        At *path*, if it is not a quantity.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"a quantity is text or a number, not {describe(value)}", path=path)
    text = value if isinstance(value, str) else str(value)
    match = _FORM.fullmatch(text) if len(text) <= _LONGEST and text.isascii() else None
    if match is None:
        raise _unknown(value, path)
    sign, whole, fraction, exponent, suffix = match.groups(default="")
    digits = whole + fraction
    if not digits or suffix not in _SUFFIXES:
        raise _unknown(value, path)
    base, power = (10, int(exponent)) if exponent else _SUFFIXES[suffix]
    power = max(-_EXPONENT, min(_EXPONENT, power))
    numerator: int
    denominator: int
    numerator, denominator = int(digits) * NANO, 10 ** len(fraction)
    if power >= 0:
        numerator *= base**power
    else:
        denominator *= base**-power
    magnitude = min(-(-numerator // denominator), MAX_QUANTITY)
    return -magnitude if sign == "-" else magnitude


def _unknown(value: Any, path: str) -> InputError:
    return InputError(
        f"{describe(value)} is not a quantity (a number with a suffix such as m, k, M, G, Ki, "
        "Mi, Gi)",
        path=path,
    )


def amount(value: Any, path: str) -> int:
    """Quantity *value* in units of 10^-9; InputError at *path* if it is negative, too."""
    found = parse(value, path)
    if found < 0:
        raise InputError(f"an amount must not be negative, as {describe(value)} is", path=path)
    return found


def amounts(value: Any, path: str) -> dict[str, int]:
    """Amount of each resource of the object *value*, each rounded up to thousandths."""
    found = {}
    for resource, entry in fields.mapping(value, path).items():
        where = fields.step(path, resource)
        if not resource or not resource.isprintable():
            raise InputError(f"not the name of a resource: {describe(resource)}", path=where)
        found[resource] = _up(amount(entry, where), MILLI) * MILLI
    return found


def scaled(nano: int, resource: str) -> int:
    """*nano* in the unit of *resource*, rounded up: millicores for cpu, else whole pieces."""
    return _up(nano, MILLI if resource == "cpu" else NANO)


def _up(number: int, unit: int) -> int:
    return -(-number // unit)
