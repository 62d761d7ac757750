"""The format is found by content; what is truly ambiguous is an error unless the suffix says."""

from __future__ import annotations

import pytest

from cpsched.errors import InputError
from cpsched.instances import dumps, library, parse
from cpsched.instances.detection import candidates
from cpsched.instances.formats.text import document
from cpsched.jobshop.instance import JobShop

TWO_BY_TWO = JobShop.classic("x", 2, [[(0, 3), (1, 4)], [(1, 5), (0, 6)]])
TITLE = "Nb of jobs, Nb of Machines, Time seed, Machine seed, Upper bound, Lower bound\n"

SPELLINGS = {
    "jsplib": "2 2\n0 3 1 4\n1 5 0 6\n",
    "jsplib, blanks and comments": "# two\n\n  2\t2 \n\n 0  3 1 4\n#\n1 5 0 6\n\n",
    "jsplib, old line ends": "2 2\r0 3 1 4\r1 5 0 6",
    "reentrant variant": "2 2\n0 3 1 4 -1 -1\n1 5 0 6 -1  -1\n",
    "taillard, plain": "2 2\n3 4\n5 6\n1 2\n2 1\n",
    "taillard, words": "2 2\nTimes\n3 4\n5 6\nMachines\n1 2\n2 1\n",
    "taillard, original": TITLE + " 2 2 9 9 17 12\nTimes\n 3 4\n 5 6\nMachines\n 1 2\n 2 1\n",
    "taillard, colons": TITLE[:-1] + " :\n2 2\ntimes :\n3 4\n5 6\nMACHINES:\n1 2\n2 1\n",
    "taillard, seeds": "2 2 9 9 17 12\nTimes\n3 4\n5 6\nMachines\n1 2\n2 1\n",
    "fjs": "2 2\n2 1 1 3 1 2 4\n2 1 2 5 1 1 6\n",
    "fjs, whole third number": "2 2 1\n2 1 1 3 1 2 4\n2 1 2 5 1 1 6\n",
    "fjs, fraction": "2 2 1.0\n2 1 1 3 1 2 4\n2 1 2 5 1 1 6\n",
    "json": dumps(TWO_BY_TWO, "json"),
}

#: As jsplib operations 3-1, 2-9, 1-3, 0-1, 4-7; as fjs three operations on machines 2, 3 and 4.
AMBIGUOUS = b"1 5\n3 1 2 9 1 3 0 1 4 7\n"


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("suffix", ["", ".txt", ".fjs", ".jsp"])
def test_content_decides_whatever_the_suffix(spelling, suffix):
    assert parse(SPELLINGS[spelling].encode(), f"some/where/x{suffix}") == TWO_BY_TWO


def test_fattahi_example():
    found = parse(b"2 2 2\n2 2 1 25 2 37 2 1 32 2 24\n2 2 1 45 2 65 2 1 21 2 65\n", "f.fjs")
    assert [found.modes(op) for op in range(4)] == [
        [(0, 25), (1, 37)],
        [(0, 32), (1, 24)],
        [(0, 45), (1, 65)],
        [(0, 21), (1, 65)],
    ]


def test_ambiguous_content_asks_for_the_format():
    with pytest.raises(InputError, match=r"^a\.txt: .* jsplib and as fjs .* --input-format"):
        parse(AMBIGUOUS, "a.txt")


def test_ambiguous_content_is_settled_by_suffix_or_format():
    as_jsplib = parse(AMBIGUOUS, "a.txt", "jsplib")
    as_fjs = parse(AMBIGUOUS, "a.txt", "fjs")
    assert as_jsplib.num_ops == 5
    assert as_fjs.num_ops == 3
    assert parse(AMBIGUOUS, "a.fjs") == as_fjs
    assert parse(AMBIGUOUS, "a.jsp") == as_jsplib


def test_one_bad_line_does_not_change_the_format():
    lines = dumps(library.load("ft06"), "jsplib").splitlines()
    lines[1] = lines[1].rsplit(" ", 1)[0]
    with pytest.raises(InputError, match=r"^x:2: expected 12 numbers.*\(read as jsplib\)$"):
        parse("\n".join(lines).encode(), "x")
    lines = dumps(library.load("ft06"), "taillard").splitlines()
    lines[1] = lines[1] + " 4"
    with pytest.raises(InputError, match=r"^x:2: expected 6 durations.*\(read as taillard\)$"):
        parse("\n".join(lines).encode(), "x")
    lines = dumps(library.load("ft06"), "fjs").replace("6 6 1\n", "6 6\n").splitlines()
    lines[1] = lines[1] + " 4"
    with pytest.raises(InputError, match=r"^x:2: 1 numbers too many.*\(read as fjs\)$"):
        parse("\n".join(lines).encode(), "x")


def test_a_format_that_is_named_is_not_second_guessed():
    with pytest.raises(
        InputError, match=r"^x\.fjs:2: expected 2 durations in this row, found 4 numbers$"
    ):
        parse(SPELLINGS["jsplib"].encode(), "x.fjs", "taillard")


@pytest.mark.parametrize("name", ["jsplib", "taillard", "fjs"])
def test_every_shipped_instance_is_recognised_without_a_tie(name):
    for shipped in library.names():
        content = dumps(library.load(shipped), name)
        if name == "fjs":
            head, rest = content.split("\n", 1)
            content = head.rsplit(" ", 1)[0] + "\n" + rest
        assert candidates(document(content), "") == [name]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("ta01.txt", "ta01"),
        ("a/b/abz5", "abz5"),
        ("x.y.jsp", "x.y"),
        ("<stdin>", "stdin"),
        ("a\nb.txt", "a\\nb"),
        ("\udcff.txt", "\\udcff"),
    ],
)
def test_the_stem_is_the_name(source, name):
    assert parse(b"1 1\n0 1\n", source).name == name


def test_the_name_in_the_json_comes_first():
    assert parse(dumps(TWO_BY_TWO, "json").encode(), "other.json").name == "x"
