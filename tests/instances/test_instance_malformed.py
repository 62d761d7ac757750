"""Malformed input: one line that names file, line or JSON path, and what is allowed."""

from __future__ import annotations

import json

import pytest

from cpsched.errors import InputError
from cpsched.instances import MAX_BYTES, dumps, parse
from cpsched.jobshop.instance import MAX_HORIZON, JobShop

JSPLIB = [
    ("short row", "2 2\n0 1 1 2\n0 1 1\n", 3, "expected 4 numbers, .* found 3"),
    ("long row", "2 2\n0 1 1 2\n0 1 1 2 5\n", 3, "expected 4 numbers, .* found 5"),
    ("row missing", "3 2\n0 1 1 2\n0 1 1 2\n\n", 3, "announces 3 jobs, .* ends after 2"),
    ("no rows", "3 2\n", 1, "announces 3 jobs, .* ends after 0"),
    ("row too many", "1 2\n0 1 1 2\n\n0 1 1 2\n", 4, "text after the last of the 1 jobs"),
    ("trailing text", "1 2\n0 1 1 2\nend\n", 3, "text after the last of the 1 jobs"),
    ("word in row", "1 2\n0 1 one 2\n", 2, "'one' is not a number"),
    ("comment in row", "1 2\n0 1 1 2 # last\n", 2, "'#' is not a number"),
    ("fraction", "1 2\n0 1 1 2.5\n", 2, "'2.5' is not an integer"),
    ("exponent", "1 2\n0 1 1 2e3\n", 2, "'2e3' is not an integer"),
    ("comma", "1 2\n0 1, 1 2\n", 2, "'1,' is not a number"),
    ("plus", "1 2\n0 1 1 +2\n", 2, r"'\+2' is not an integer"),
    ("underscore", "1 2\n0 1 1 1_0\n", 2, "'1_0' is not a number"),
    ("digits of another script", "1 2\n0 1 1 \u0662\n", 2, "not a number"),
    ("lone minus", "1 2\n0 1 1 -\n", 2, "'-' is not a number"),
    ("negative duration", "2 2\n0 1 1 2\n1 -3 0 2\n", 3, "duration -3 is negative"),
    ("large duration", "1 1\n0 2147483648\n", 2, "duration 2147483648 is too large"),
    ("huge duration", f"1 1\n0 {'9' * 40}\n", 2, f"too large, {MAX_HORIZON} is the largest"),
    ("enormous duration", f"1 1\n0 {'9' * 9000}\n", 2, "too large"),
    ("machine out of range", "2 2\n0 1 1 2\n0 1 2 2\n", 3, r"machine 2 is out of range 0\.\.1"),
    ("negative machine", "1 2\n0 1 -1 2\n", 2, r"machine -1 is out of range 0\.\.1"),
    ("machine twice", "2 3\n0 1 1 2 2 3\n2 1 0 2 2 1\n", 3, "machine 2 occurs twice in job 1"),
    ("zero jobs", "0 2\n", 1, r"number of jobs must be in 1\.\.1000000, not 0"),
    ("zero machines", "2 0\n", 1, r"number of machines must be in 1\.\.1000000, not 0"),
    ("negative jobs", "-1 2\n", 1, "number of jobs must be"),
    ("too many jobs", "2000000 1\n0 1\n", 1, "number of jobs must be"),
    ("one number in header", "2\n0 1\n", 1, "expected 2 numbers, jobs and machines, found 1"),
    ("four numbers in header", "1 2 3 4\n0 1\n", 1, "expected 2 numbers, .* found 4"),
    ("word in header", "one 2\n0 1\n", 1, "'one' is not a number"),
    ("comments count as lines", "# a\n\n1 1\n# b\n0 x\n", 5, "'x' is not a number"),
    ("some rows end", "2 2\n0 1 1 2 -1 -1\n0 1 1 2\n", 3, "must end with -1 -1"),
    ("half a pair", "1 2\n0 1 1 -1 -1\n", 2, "expected pairs .* found 3"),
    ("empty route", "1 2\n-1 -1\n", 2, "no operation before -1 -1"),
    ("reentrant range", "1 2\n0 1 2 5 -1 -1\n", 2, r"machine 2 is out of range 0\.\.1"),
    ("reentrant duration", "2 2\n0 1 -1 -1\n0 -5 -1 -1\n", 3, "duration -5 is negative"),
]

TITLE = "Nb of jobs, Nb of Machines, Time seed, Machine seed, Upper bound, Lower bound :\n"
TAILLARD = [
    ("short row", "2 2\n1 2\n3\n1 2\n2 1\n", 3, "expected 2 durations in this row, found 1"),
    ("long row", "2 2\n1 2\n3 4\n1 2 1\n2 1\n", 4, "expected 2 machines in this row, found 3"),
    ("block missing", "2 2\n1 2\n3 4\n", 3, "expected 2 rows of machines, .* ends after 0"),
    ("row missing", "2 2\n1 2\n3 4\n2 1\n", 4, "expected 2 rows of machines, .* ends after 1"),
    ("trailing", "1 2\n1 2\n1 2\n7\n", 4, "text after the last of the 1 rows of machines"),
    ("machine zero", "1 2\n5 6\n0 1\n", 3, r"machine 0 is out of range 1\.\.2"),
    ("machine out of range", "1 2\n5 6\n1 3\n", 3, r"machine 3 is out of range 1\.\.2"),
    ("machine twice", "2 2\n5 6\n5 6\n1 2\n2 2\n", 5, "machine 2 occurs twice in job 2"),
    ("negative duration", "1 2\n5 -6\n1 2\n", 2, "duration -6 is negative"),
    ("fraction", "1 2\n5 .5\n1 2\n", 2, r"'\.5' is not an integer"),
    ("word missing", "1 2\nTimes\n5 6\n1 2\n", 4, "expected the word Machines here"),
    ("first word missing", "1 2\n5 6\nMachines\n1 2\n", 3, "expected 1 rows of machines, found 0"),
    ("ends before word", "1 2\nTimes\n5 6\n", 3, "ends before the word Machines"),
    ("early word", "2 2\nTimes\n5 6\nMachines\n", 4, "2 rows of durations, found 1 before"),
    ("words exchanged", "1 2\nMachines\n5 6\nTimes\n1 2\n", 2, "expected the word Times here"),
    ("title only", TITLE, 1, "ends after the title"),
    ("seeds missing", TITLE + "1 2 3\nTimes\n5 6\n", 2, "expected 2 numbers, .* or 6, .* found 3"),
    (
        "second instance",
        2 * (TITLE + "1 2 9 9 9 9\nTimes\n5 6\nMachines\n1 2\n"),
        7,
        "a second instance begins here",
    ),
]

FJS = [
    ("row missing", "2 2\n1 1 1 5\n", 2, "announces 2 jobs, .* ends after 1"),
    ("row too many", "1 2\n1 1 1 5\n1 1 1 5\n", 3, "text after the last of the 1 jobs"),
    ("operation missing", "1 2 1\n2 1 1 5\n", 2, "announces 2 operations, .* ends after 1"),
    ("pair missing", "1 2 1\n1 2 1 5 2\n", 2, "operation 1 announces 2 pairs .* only 3 numbers"),
    ("numbers too many", "1 2 1\n1 1 1 5 7 7\n", 2, "2 numbers too many after the last of 1"),
    ("no machines", "1 2 1\n1 0\n", 2, r"announces 0 machines, 1\.\.2 are allowed"),
    ("too many machines", "1 2 1\n1 3 1 5 2 5 1 5\n", 2, "announces 3 machines"),
    ("negative operations", "1 2 1\n-1\n", 2, "operations must be at least 1, not -1"),
    ("no operations", "2 2 1\n1 1 1 5\n0\n", 3, "operations must be at least 1, not 0"),
    ("machine zero", "1 2 1\n1 1 0 5\n", 2, r"machine 0 is out of range 1\.\.2"),
    ("machine out of range", "2 2 1\n1 1 1 5\n1 1 3 5\n", 3, r"machine 3 is out of range 1\.\.2"),
    ("machine twice", "2 2 2\n1 1 1 5\n1 2 2 5 2 6\n", 3, "machine 2 is listed twice"),
    ("negative duration", "1 2 1\n1 1 1 -5\n", 2, "duration -5 is negative"),
    ("fraction", "1 2 1.5\n1 1 1 5.5\n", 2, "'5.5' is not an integer"),
    ("bad flexibility", "1 2 many\n1 1 1 5\n", 1, "'many' is not a mean number"),
    ("fraction in header", "1.5 2 1.5\n1 1 1 5\n", 1, "'1.5' is not an integer"),
    ("four numbers in header", "1 2 1 1\n1 1 1 5\n", 1, "expected 2 or 3 numbers, .* found 4"),
    ("zero jobs", "0 2 1\n", 1, "number of jobs must be"),
]

HEAD = '"schema_version": 1, "family": "jobshop", "name": "x", "machines": 2'


def whole(jobs: str) -> str:
    return f'{{{HEAD}, "jobs": {jobs}}}'


DEEP = "[" * 100_000 + "]" * 100_000
JSON = [
    ("negative duration", whole("[[[0,1]],[[1,-1]]]"), "$.jobs[1][0][1]", "duration must be an"),
    ("fraction", whole("[[[0,1.5]]]"), "$.jobs[0][0][1]", "not the number 1.5"),
    ("integral fraction", whole("[[[0,1.0]]]"), "$.jobs[0][0][1]", "not the number 1.0"),
    ("text", whole('[[["0",1]]]'), "$.jobs[0][0][0]", "machine must be .* not the text '0'"),
    ("true", whole("[[[0,true]]]"), "$.jobs[0][0][1]", "not true"),
    ("NaN", whole("[[[0,NaN]]]"), "$.jobs[0][0][1]", "not the number nan"),
    ("infinity", whole("[[[0,1e999]]]"), "$.jobs[0][0][1]", "not the number inf"),
    ("machine", whole("[[[0,1],[2,1]]]"), "$.jobs[0][1][0]", r"machine must be .* 0\.\.1, not"),
    ("large", whole("[[[0,2147483648]]]"), "$.jobs[0][0][1]", "not the number 2147483648"),
    ("huge", whole(f"[[[0,{'9' * 99}]]]"), "$.jobs[0][0][1]", "not the number of 99 digits"),
    ("machine twice", whole("[[[[0,1],[0,2]]]]"), "$.jobs[0][0][1]", "machine 0 is listed twice"),
    (
        "triple",
        whole("[[[0,1,2]]]"),
        "$.jobs[0][0]",
        r"expected \[machine, duration\], not a list",
    ),
    ("mixed modes", whole("[[[[0,1],2]]]"), "$.jobs[0][0][1]", "not the number 2"),
    ("no modes", whole("[[[]]]"), "$.jobs[0][0]", "not a list of 0"),
    ("number as operation", whole("[[3]]"), "$.jobs[0][0]", "not the number 3"),
    ("object as job", whole("[{}]"), "$.jobs[0]", "a job must be a list .* not an object"),
    ("jobs null", whole("null"), "$.jobs", "must be a list, not null"),
    ("zero jobs", whole("[]"), "$.jobs", "number of jobs must be"),
    ("zero machines", whole("[[]]").replace("2", "0"), "$.machines", "number of machines"),
    ("key missing", f"{{{HEAD}}}", "$", "the key 'jobs' is missing"),
    (
        "key unknown",
        f'{{{HEAD}, "job": []}}',
        "$",
        "unknown key 'job'; allowed are schema_version",
    ),
    ("key twice", f'{{{HEAD}, "name": "y", "jobs": []}}', "$", "the key 'name' occurs twice"),
    (
        "version",
        whole("[[]]").replace("1", "2"),
        "$.schema_version",
        "must be 1, not the number 2",
    ),
    ("version true", whole("[[]]").replace("1", "true"), "$.schema_version", "not true"),
    ("family", whole("[[]]").replace("jobshop", "zoo"), "$.family", "not the text 'zoo'"),
    ("empty name", whole("[[]]").replace('"x"', '""'), "$.name", "name must be printable"),
    ("name with line end", whole("[[]]").replace("x", "\\n"), "$.name", "name must be printable"),
    ("list", "[[[0, 1]]]", "$", "an instance must be an object, not a list of 1"),
    ("broken", f'{{{HEAD},\n"jobs": [[[0,]]]}}', 2, "not JSON"),
    ("cut", f'{{{HEAD},\n\n"jobs": [[[0,1', 3, "not JSON"),
    ("trailing", whole("[[[0,1]]]") + "\nmore", 2, "not JSON: Extra data"),
    ("deep", whole("[[[0,\n1]],\n" + DEEP + "]"), 3, "nested too deep"),
    ("digits", whole(f"[[[0,\n{'9' * 9000}]]]"), 2, "too many digits"),
    ("objects", whole("[" + "{}," * 2000 + "{}]"), None, "more than 1000 objects"),
]


def cases(rows):
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


def refused(content: str | bytes, source: str, name: str | None) -> InputError:
    data = content.encode() if isinstance(content, str) else content
    with pytest.raises(InputError) as caught:
        parse(data, source, name)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(("content", "line", "reason"), cases(JSPLIB))
def test_jsplib(content, line, reason):
    error = refused(content, "a/b.txt", "jsplib")
    assert str(error).startswith(f"a/b.txt:{line}: ")
    assert error.line == line
    with pytest.raises(InputError, match=reason):
        raise error


@pytest.mark.parametrize(("content", "line", "reason"), cases(TAILLARD))
def test_taillard(content, line, reason):
    error = refused(content, "b.txt", "taillard")
    assert str(error).startswith(f"b.txt:{line}: ")
    with pytest.raises(InputError, match=reason):
        raise error


@pytest.mark.parametrize(("content", "line", "reason"), cases(FJS))
def test_fjs(content, line, reason):
    error = refused(content, "b.fjs", "fjs")
    assert str(error).startswith(f"b.fjs:{line}: ")
    with pytest.raises(InputError, match=reason):
        raise error


@pytest.mark.parametrize(("content", "where", "reason"), cases(JSON))
@pytest.mark.parametrize("name", [None, "json"])
def test_json(content, where, reason, name):
    error = refused(content, "b.json", name)
    prefix = "b.json: " if where is None else f"b.json:{where}: "
    assert str(error).startswith(prefix)
    with pytest.raises(InputError, match=reason):
        raise error


@pytest.mark.parametrize(
    ("rows", "shown"), [(JSPLIB, "jsplib"), (TAILLARD, "taillard"), (FJS, "fjs")]
)
def test_detected_errors_say_what_the_file_was_read_as(rows, shown):
    name, content, line, _reason = rows[0]
    assert name in ("short row", "row missing")
    error = refused(content, f"b.{'fjs' if shown == 'fjs' else 'txt'}", None)
    assert error.line == line
    assert str(error).endswith(f"(read as {shown})")


@pytest.mark.parametrize("name", [None, "jsplib", "taillard", "fjs", "json"])
@pytest.mark.parametrize(
    ("content", "where", "reason"),
    [
        (b"", "", "the file is empty"),
        (b" \r\n\t\n", "", "the file is empty"),
        (b"\xef\xbb\xbf", "", "the file is empty"),
        (b"1 1\n0 \x00\n", ":2", "binary data"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ":3", "binary data"),
        (b"1 1\r0 1\r# caf\xe9\r", ":3", "byte 0xe9 is not UTF-8 text"),
        ("1 1\n0 1\n".encode("utf-16"), ":1", "binary data"),
    ],
)
def test_no_text(content, where, reason, name):
    error = refused(content, "b.txt", name)
    assert str(error).startswith(f"b.txt{where}: ")
    assert reason in str(error)


@pytest.mark.parametrize("name", [None, "jsplib", "taillard", "fjs"])
def test_only_comments(name):
    error = refused("# nothing\n# more\n", "b.txt", name)
    assert str(error) == "b.txt:2: no data: the file is empty or holds only comments"


def test_sums_beyond_the_horizon_are_refused():
    reason = "the durations sum to 2147483648, more than the 2147483647 that fit"
    for name, where, content in (
        ("jsplib", 3, f"2 1\n0 {MAX_HORIZON}\n0 1\n"),
        ("taillard", 3, f"2 1\n{MAX_HORIZON}\n1\n1\n1\n"),
        ("fjs", 3, f"2 2\n1 2 1 {MAX_HORIZON} 2 5\n1 1 1 1\n"),
        ("json", "$.jobs[2][1]", whole(f"[[[0,{MAX_HORIZON}]],[],[[0,0],[[0,1],[1,0]]]]")),
    ):
        assert str(refused(content, "b.txt", name)) == f"b.txt:{where}: {reason}"


@pytest.mark.parametrize("name", ["jsplib", "taillard", "fjs"])
def test_sums_of_long_jobs_do_not_overflow(name):
    instance = JobShop.classic("b", 1, [[(0, MAX_HORIZON)]])
    assert parse(dumps(instance, name).encode(), "b.txt", name) == instance


def test_too_large_content_is_refused_unread():
    assert f"more than the {MAX_BYTES} bytes" in str(refused(bytes(MAX_BYTES + 1), "b", None))


@pytest.mark.parametrize(
    "content",
    ["1 2000000000\n1 1 1 5\n", json.dumps({"jobs": [[]]}), "999999 1\n0 1\n"],
)
def test_large_counts_cost_nothing(content):
    refused(content, "b.fjs", None)


def test_a_line_of_odd_white_space_is_blank() -> None:
    assert parse(b"\x0c\n1 1\n\x0b\n0 3\n", "odd.txt").num_ops == 1
