"""Which format a text is in, from its content.

0. The first key is one of an API object (``apiVersion``, ``kind``, ...), JSON or YAML: a snapshot
   of a Kubernetes cluster. It is that of a table of OpenStack or of Proxmox, or those are the
   columns of the first row: a snapshot of theirs.
   A number n, n lines of two numbers of which the first is 0 or 1, and a line of one number:
   roadef, a model of the machine reassignment challenge.
1. The first character is ``{`` or ``[``, or the file is called ``.json`` or ``.jsonl``: json, or a
   scenario of pods if it has ``replicasets``, or a mapping of VMR2L if the first key is one of its
   three; the key ``family`` tells what a json is about. The openb trace is read only if asked for.
2. Taillard's title or one of the words ``Times`` and ``Machines`` stands on a line: taillard.
3. The header has three numbers: fjs.
4. The header has two numbers: the format whose shape most of the other lines have. jsplib wants
   2 x machines numbers or a final ``-1 -1``, taillard as many numbers as machines, fjs its own
   grammar. A valid file fits its own format on every line, so it is never taken for another.
5. If several formats fit equally well, those are read in full. If just one succeeds, or all that
   succeed agree, that is it. If two succeed with different meanings, the suffix decides (.fjs:
   fjs; .jsp, .jssp: jsplib); without such a suffix it is an error that asks for the format. If
   none succeeds, the error of the suffix's format is shown, else that of the first.
6. If no line fits any format, the suffix decides, else jsplib, whose error is then shown.

Rule 5 is about very few files: one without a zero duration cannot be both jsplib and fjs, and
taillard has another number of lines than both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cpsched.errors import InputError
from cpsched.instances.formats import fjs, jsplib, taillard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cpsched.instances.formats.text import Document
    from cpsched.jobshop.instance import JobShop

#: Readers of the line-oriented formats, in the order in which they are tried.
READERS: Final[dict[str, Callable[[Document, str], JobShop]]] = {
    "jsplib": jsplib.parse,
    "taillard": taillard.parse,
    "fjs": fjs.parse,
}

_FITS: Final[dict[str, Callable[[Sequence[int], int], bool]]] = {
    "jsplib": jsplib.fits,
    "taillard": taillard.fits,
    "fjs": fjs.fits,
}

_SUFFIXES: Final = {".fjs": "fjs", ".jsp": "jsplib", ".jssp": "jsplib"}


def is_lines(text: str) -> bool:
    """Whether a text is one JSON object on each of several lines, and not one object."""
    first = text.lstrip().split("\n", 2)
    # The first line of a single object that spans lines does not close it.
    return len(first) > 1 and first[0].rstrip().endswith("}") and first[1].lstrip()[:1] == "{"


def is_json(text: str, suffix: str) -> bool:
    """Whether a text is meant to be JSON."""
    return suffix in (".json", ".jsonl") or text[:1024].lstrip()[:1] in ("{", "[")


def candidates(document: Document, suffix: str) -> list[str]:
    """Line-oriented formats that fit *document* best; more than one only if they tie."""
    if taillard.has_words(document):
        return ["taillard"]
    if fjs.has_flexibility(document):
        return ["fjs"]
    header = document.rows[0].values
    votes = dict.fromkeys(_FITS, 0)
    if header is not None and len(header) == 2:
        for row in document.rows[1:]:
            if row.values is not None:
                for name, fits in _FITS.items():
                    votes[name] += fits(row.values, header[1])
    most = max(votes.values())
    if most == 0:
        return [_SUFFIXES.get(suffix, "jsplib")]
    return [name for name, count in votes.items() if count == most]


def read_detected(document: Document, name: str, suffix: str) -> JobShop:
    """Job shop of *document* in the format it is found to be in."""
    favourite = _SUFFIXES.get(suffix, "")
    found: dict[str, JobShop] = {}
    errors: dict[str, InputError] = {}
    for candidate in candidates(document, suffix):
        try:
            found[candidate] = READERS[candidate](document, name)
        except InputError as error:
            reason = f"{error.reason} (read as {candidate})"
            errors[candidate] = InputError(reason, line=error.line)
    if not found:
        raise errors.get(favourite, next(iter(errors.values())))
    first, *others = found.values()
    if all(other == first for other in others):
        return first
    if favourite not in found:
        raise InputError(
            f"the file is valid as {' and as '.join(found)} and means different things; "
            "say which with --input-format"
        )
    return found[favourite]
