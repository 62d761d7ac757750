"""Solution files: what a solve wrote is read back; what is wrong is located."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpsched.errors import InputError
from cpsched.instances.solutions import (
    parse_result,
    parse_solution,
    read_solution,
    solution_to_json,
)
from cpsched.jobshop.instance import JobShop
from cpsched.jobshop.solution import Schedule
from cpsched.report import json_line, record
from cpsched.result import Result, Status

SHOP = JobShop.classic("two", 2, [[(0, 3), (1, 2)], [(1, 4)], []])
SCHEDULE = Schedule.from_starts(SHOP, np.array([0, 4, 0]))
OPERATIONS = [
    {"job": 0, "index": 0, "machine": 0, "start": 0, "end": 3},
    {"job": 0, "index": 1, "machine": 1, "start": 4, "end": 6},
    {"job": 1, "index": 0, "machine": 1, "start": 0, "end": 4},
]


def result_line(name: str, solution: Schedule | None = SCHEDULE) -> str:
    shop = JobShop.classic(name, 2, [[(0, 3), (1, 2)], [(1, 4)], []])
    objective = None if solution is None else solution.makespan
    status = Status.UNKNOWN if solution is None else Status.OPTIMAL
    result = Result(name, "jobshop", "auto", status, objective, 6, solution, (), 0.1, 0)
    return json_line(record(shop, result))


def test_a_schedule_as_json():
    assert solution_to_json(SHOP, SCHEDULE) == {"operations": OPERATIONS}


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"operations": OPERATIONS}),
        json.dumps({"operations": OPERATIONS[::-1]}, indent=2),
        json.dumps({"solution": {"operations": OPERATIONS}}),
        result_line("two"),
        "\ufeff\n\n" + result_line("two").replace("\n", "\r\n"),
        json.dumps(json.loads(result_line("two")), indent=1),
        # A single result is taken whatever the file of its instance was called.
        result_line("renamed"),
        result_line("one") + "\n" + result_line("two") + result_line("twofold"),
        # A line about another instance is not looked into.
        result_line("one") + "{ broken\n" + result_line("two"),
    ],
)
def test_every_accepted_form(content):
    assert parse_solution(content.encode(), "s.json", SHOP) == SCHEDULE


def test_the_object_of_a_result_comes_with_its_schedule():
    content = result_line("one") + result_line("two") + '{"instance": "three", "obj'
    found, schedule = parse_result(content.encode(), "s.json", SHOP)
    assert found["instance"] == "two"
    assert schedule == SCHEDULE


def test_a_file(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(result_line("two"))
    assert read_solution(path, SHOP) == SCHEDULE
    with pytest.raises(InputError, match=r"none\.json: no such file"):
        read_solution(tmp_path / "none.json", SHOP)
    with pytest.raises(InputError, match="is a folder"):
        read_solution(tmp_path, SHOP)
    with pytest.raises(InputError, match="no solution file given"):
        read_solution("", SHOP)


def test_feasibility_is_not_looked_at():
    wild = [{**operation, "machine": 7, "start": -5, "end": -9} for operation in OPERATIONS]
    found = parse_solution(json.dumps({"operations": wild}).encode(), "s.json", SHOP)
    assert found.machine.tolist() == [7, 7, 7]
    assert found.start.tolist() == [-5, -5, -5]
    assert found.end.tolist() == [-9, -9, -9]


def changed(at: int, **values: object) -> str:
    operations = [dict(operation) for operation in OPERATIONS]
    operations[at].update(values)
    return json.dumps({"operations": operations})


@pytest.mark.parametrize(
    ("content", "where", "reason"),
    [
        ("", "", "the file is empty"),
        (" \n ", "", "the file is empty"),
        ("{", ":1", "not JSON"),
        ("3", ":$", "a result must be an object, not the number 3"),
        ("[]", ":$", "not a list of 0"),
        ("{}", ":$", "expected the key 'solution' or the key 'operations'"),
        ('{"solution": null}', ":$.solution", "the result holds no solution"),
        ('{"solution": 1}', ":$.solution", "must be an object, not the number 1"),
        ('{"solution": {}}', ":$.solution", "key 'operations' is missing"),
        ('{"solution": {"operations": [], "x": 1}}', ":$.solution", "unknown key 'x'"),
        ('{"schema_version": 9, "solution": {}}', ":$.schema_version", "must be 1"),
        ('{"operations": [], "operations": []}', ":$", "'operations' occurs twice"),
        ('{"operations": {}}', ":$.operations", "must be a list, not an object"),
        ('{"operations": []}', ":$.operations", "job 0, operation 0 is missing; 0 of 3"),
        (json.dumps({"operations": OPERATIONS[:2]}), ":$.operations", "job 1, operation 0 is mis"),
        (changed(1, index=0), ":$.operations[1]", "job 0, operation 0 occurs a second time"),
        (changed(1, index=2), ":$.operations[1].index", r"index must be an integer in 0\.\.1"),
        (changed(1, job=3), ":$.operations[1].job", r"job must be an integer in 0\.\.2"),
        (changed(1, job=2), ":$.operations[1].job", "job 2 has no operations"),
        (changed(1, job=-1), ":$.operations[1].job", "job must be an integer"),
        (changed(2, start=1.0), ":$.operations[2].start", "not the number 1.0"),
        (changed(2, start=True), ":$.operations[2].start", "not true"),
        (changed(2, end="9"), ":$.operations[2].end", "not the text '9'"),
        (changed(2, end=2**31), ":$.operations[2].end", "not the number 2147483648"),
        (changed(2, machine=None), ":$.operations[2].machine", "not null"),
        (changed(2, speed=1), ":$.operations[2]", "unknown key 'speed'; allowed are job, index"),
        ('{"operations": [{"job": 0}]}', ":$.operations[0]", "the key 'index' is missing"),
        ('{"operations": [[0, 0]]}', ":$.operations[0]", "an operation must be an object"),
        (result_line("two", None), ":$.solution", "the result holds no solution"),
        (result_line("a") + result_line("b"), "", "none of the 2 results is for instance two"),
        (2 * result_line("two"), "", r"2 results are for instance two \(lines 1, 2\)"),
        (result_line("a") + result_line("two", None), ":2:$.solution", "holds no solution"),
        (result_line("a") + '{"instance": "two", }\n', ":2", "not JSON"),
        ("[" * 100_000, ":1", "nested too deep"),
        ("instance,job,index,machine,start,end\n", "", "the JSON is needed"),
        ("{" + " " * 2_000_000 + "}", "", "too many for a schedule of two, job shop"),
        ("\x00", ":1", "binary data"),
    ],
)
def test_what_is_wrong_is_located(content, where, reason):
    with pytest.raises(InputError, match=reason) as caught:
        parse_solution(content.encode(), "s.json", SHOP)
    assert str(caught.value).startswith(f"s.json{where}: ")
    assert "\n" not in str(caught.value)


def schedule_or_input_error(content: bytes) -> None:
    found = None
    refusal = ""
    try:
        found = parse_solution(content, "s.json", SHOP)
    except InputError as error:
        refusal = str(error)
    if found is None:
        assert refusal.startswith("s.json:")
        assert refusal.isprintable()
    else:
        again = json.dumps(solution_to_json(SHOP, found)).encode()
        assert parse_solution(again, "s.json", SHOP) == found


@given(content=st.binary(max_size=100))
def test_random_bytes(content):
    schedule_or_input_error(content)


@given(data=st.data())
def test_damaged_files(data):
    content = data.draw(st.sampled_from([result_line("one"), ""])) + result_line("two")
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, min(len(content), start + 9)))
    insert = data.draw(st.sampled_from(["", "0", "-", ".5", '"', "}", "]", "\n", "null", "NaN"]))
    schedule_or_input_error((content[:start] + insert + content[stop:]).encode())
