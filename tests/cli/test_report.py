from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from random_clusters import random_cluster
from random_vms import small

import cpsched
from cpsched import report
from cpsched.jobshop.family import csv_rows
from cpsched.jobshop.solution import Schedule
from cpsched.result import Result, Status, TracePoint

if TYPE_CHECKING:
    from cpsched.jobshop.instance import JobShop

SCHEMA = Path(__file__).parents[2] / "docs" / "result.schema.json"

KEYS = [
    "schema_version",
    "instance",
    "family",
    "method",
    "status",
    "objective",
    "bound",
    "gap",
    "wall_time_s",
    "setup_time_s",
    "seed",
    "learned",
    "versions",
    "trace",
    "solution",
]

#: Keys of a solution that only VMs have.
VM_KEYS = {
    *("fr_before", "fr_after", "fr_bound", "slots", "moves", "makespan_s", "stages"),
    "migrations",
}


@pytest.fixture
def solved(tiny: JobShop) -> Result[Schedule]:
    return Result(
        instance="tiny",
        family="jobshop",
        method="auto",
        status=Status.OPTIMAL,
        objective=5,
        bound=5,
        solution=Schedule.from_starts(tiny, [0, 3, 0, 3]),
        trace=(
            TracePoint(0.0, None, 4, "bound"),
            TracePoint(0.1, 6, 4, "rule:mwkr"),
            TracePoint(0.2, 5, 4, "tabu"),
            TracePoint(0.25, 5, 5, "cpsat"),
        ),
        wall_time=0.3,
        seed=7,
        versions={"python": "3"},
    )


@pytest.fixture
def unsolved() -> Result[Schedule]:
    return Result(
        instance="tiny",
        family="jobshop",
        method="cpsat",
        status=Status.UNKNOWN,
        objective=None,
        bound=None,
        solution=None,
        trace=(),
        wall_time=1.0,
        seed=0,
    )


def conforms(value: object, schema: dict[str, object], path: str = "$") -> list[str]:
    """Violations of the part of JSON Schema that the published schema uses."""
    known = {"$schema", "title", "description", "type", "const", "enum", "minimum"}
    known |= {"required", "properties", "additionalProperties", "items", "anyOf"}
    assert set(schema) <= known, f"{path}: the test does not know {set(schema) - known}"
    types = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "null": type(None),
        "boolean": bool,
    }
    allowed = schema.get("type", [])
    allowed = [allowed] if isinstance(allowed, str) else allowed
    wrong = []
    if "anyOf" in schema:
        tried = [conforms(value, one, path) for one in schema["anyOf"]]
        wrong += min(tried, key=len)
    if allowed and not any(
        isinstance(value, types[name]) and (name == "boolean" or not isinstance(value, bool))
        for name in allowed
    ):
        wrong.append(f"{path}: {value!r} is not {allowed}")
    if "const" in schema and value != schema["const"]:
        wrong.append(f"{path}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        wrong.append(f"{path}: {value!r} is not in {schema['enum']}")
    if "minimum" in schema and isinstance(value, int | float) and value < schema["minimum"]:
        wrong.append(f"{path}: {value} is too small")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        extra = schema.get("additionalProperties", True)
        wrong += [f"{path}: no {key}" for key in schema.get("required", []) if key not in value]
        for key, item in value.items():
            rule = properties.get(key, extra)
            if rule is False:
                wrong.append(f"{path}: unknown key {key}")
            elif isinstance(rule, dict):
                wrong += conforms(item, rule, f"{path}.{key}")
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            wrong += conforms(item, schema["items"], f"{path}[{index}]")
    return wrong


@pytest.mark.parametrize("name", ["solved", "unsolved"])
def test_record_conforms_to_the_published_schema(
    name: str, tiny: JobShop, request: pytest.FixtureRequest
) -> None:
    record = json.loads(report.json_line(report.record(tiny, request.getfixturevalue(name))))
    schema = json.loads(SCHEMA.read_text())
    assert list(record) == KEYS == schema["required"] == list(schema["properties"])
    assert conforms(record, schema) == []


@pytest.mark.parametrize("seed", range(8))
def test_records_of_pods_conform_to_it_with_every_key(seed: int) -> None:
    cluster = random_cluster(seed, pods=9)
    result = cpsched.solve(cluster, method="cpsat", time_limit=2, workers=1)
    record = json.loads(report.json_line(report.record(cluster, result)))
    schema = json.loads(SCHEMA.read_text())
    assert conforms(record, schema) == []
    allowed = schema["properties"]["solution"]["properties"].keys()
    others = {"operations", "machines", "cost_before", "cost"} | VM_KEYS
    assert record["solution"].keys() == allowed - others | {"moved"}


@pytest.mark.parametrize("seed", range(8))
def test_records_of_vms_conform_to_it_with_every_key(seed: int) -> None:
    cluster = small(random.Random(seed), ("pinned", "apart", "over"))
    result = cpsched.solve(cluster, time_limit=2, workers=1)
    record = json.loads(report.json_line(report.record(cluster, result)))
    schema = json.loads(SCHEMA.read_text())
    assert conforms(record, schema) == []
    assert record["solution"].keys() == VM_KEYS | {"policy"}
    text = (SCHEMA.parent / "result-schema.md").read_text()
    for key in VM_KEYS:
        assert f"`{key}`" in text, key


def test_the_schema_refuses_a_wrong_record(tiny: JobShop, solved: Result[Schedule]) -> None:
    schema = json.loads(SCHEMA.read_text())
    for key, value in [
        ("objective", 5.5),
        ("status", "done"),
        ("schema_version", 2),
        ("trace", [{"seconds": 1}]),
        ("solution", {"operations": [{"job": 0}]}),
        ("seed", -1),
    ]:
        record = {**report.record(tiny, solved), key: value}
        assert conforms(record, schema), key


def test_every_key_is_documented() -> None:
    text = (SCHEMA.parent / "result-schema.md").read_text()
    for key in KEYS:
        assert f"| `{key}` |" in text, key


def test_json_is_one_ascii_line(tiny: JobShop, solved: Result[Schedule]) -> None:
    named = Result(**{**fields_of(solved), "instance": "Zür\nich"})
    line = report.json_line(report.record(tiny, named))
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert line.isascii()
    assert json.loads(line)["instance"] == "Zür\nich"


def fields_of(result: Result[Schedule]) -> dict[str, object]:
    return {name: getattr(result, name) for name in Result.__slots__}


def test_operations_carry_job_and_index(tiny: JobShop, solved: Result[Schedule]) -> None:
    assert list(csv_rows(tiny, solved.solution)) == [
        (0, 0, 0, 0, 3),
        (0, 1, 1, 3, 5),
        (1, 0, 1, 0, 2),
        (1, 1, 0, 3, 5),
    ]


def test_csv_round_trips_a_name_with_a_comma(tiny: JobShop, solved: Result[Schedule]) -> None:
    named = Result(**{**fields_of(solved), "instance": 'a,"b"'})
    text = report.csv_header("jobshop") + report.csv_rows(tiny, named)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 4
    assert rows[3] == {
        "instance": 'a,"b"',
        "job": "1",
        "index": "1",
        "machine": "0",
        "start": "3",
        "end": "5",
    }


def test_csv_has_no_row_without_a_solution(tiny: JobShop, unsolved: Result[Schedule]) -> None:
    assert report.csv_rows(tiny, unsolved) == ""


def test_summary_says_who_proved_and_who_found(tiny: JobShop, solved: Result[Schedule]) -> None:
    text = report.summary(report.Entry(tiny, solved, best_known=4))
    assert "optimal, proven by cpsat after 0.25 s" in text
    assert "found by tabu after 0.20 s" in text
    assert "job shop, 2 jobs, 2 machines, 4 operations" in text
    assert "gap 25.00 %" in text  # to best known


def test_summary_without_a_solution(tiny: JobShop, unsolved: Result[Schedule]) -> None:
    text = report.summary(report.Entry(tiny, unsolved))
    assert "unknown: no solution was found within the limits" in text
    assert "makespan" not in text
    assert "interrupted" in report.summary(report.Entry(tiny, unsolved), interrupted=True)


def test_gap_to_a_missing_or_zero_reference_is_none() -> None:
    assert report.gap_to(5, None) is None
    assert report.gap_to(None, 5) is None
    assert report.gap_to(5, 0) is None
    assert report.gap_to(4, 5) == pytest.approx(-0.2)
