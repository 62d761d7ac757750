"""Every format: what is written is read back, and nothing but an instance or an InputError."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cpsched.errors import InputError
from cpsched.instances import FORMATS, dumps, parse, read, write
from cpsched.jobshop.instance import MAX_HORIZON, JobShop

DURATIONS = st.one_of(st.integers(0, 9), st.integers(0, 10_000_000))
SUFFIX = {"jsplib": ".jsp", "taillard": ".txt", "fjs": ".fjs", "json": ".json"}


@st.composite
def permutation_shops(draw):
    """Every job visits every machine once."""
    num_machines = draw(st.integers(1, 5))
    jobs = [
        [
            (machine, draw(DURATIONS))
            for machine in draw(st.permutations(list(range(num_machines))))
        ]
        for _ in range(draw(st.integers(1, 5)))
    ]
    return JobShop.classic("x", num_machines, jobs)


@st.composite
def reentrant_shops(draw):
    """Jobs of any length from 1, on any machines."""
    num_machines = draw(st.integers(1, 5))
    operation = st.tuples(st.integers(0, num_machines - 1), DURATIONS)
    jobs = draw(st.lists(st.lists(operation, min_size=1, max_size=6), min_size=1, max_size=5))
    return JobShop.classic("x", num_machines, jobs)


@st.composite
def flexible_shops(draw, least=0):
    """Choices of machines, jobs of at least *least* operations."""
    num_machines = draw(st.integers(1, 5))
    mode = st.tuples(st.integers(0, num_machines - 1), DURATIONS)
    operation = st.lists(mode, min_size=1, max_size=num_machines, unique_by=lambda m: m[0])
    jobs = draw(st.lists(st.lists(operation, min_size=least, max_size=5), min_size=1, max_size=5))
    return JobShop.flexible("x", num_machines, jobs)


EXPRESSIBLE = {
    "jsplib": st.one_of(permutation_shops(), reentrant_shops()),
    "taillard": permutation_shops(),
    "fjs": st.one_of(permutation_shops(), reentrant_shops(), flexible_shops(least=1)),
    "json": st.one_of(permutation_shops(), reentrant_shops(), flexible_shops()),
}
ANY_SHOP = st.one_of(permutation_shops(), reentrant_shops(), flexible_shops())


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_written_instances_are_read_back(name, data):
    instance = data.draw(EXPRESSIBLE[name])
    content = dumps(instance, name).encode()
    assert parse(content, "x.txt", name) == instance
    # Detection by content; the suffix settles the few files that are valid in two formats.
    assert parse(content, "x" + SUFFIX[name]) == instance


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_line_ends_byte_order_mark_and_blanks_do_not_matter(name, data):
    instance = data.draw(EXPRESSIBLE[name])
    content = dumps(instance, name)
    changed = "\ufeff\n" + content.replace(" ", " \t").replace("\n", " \r\n\r\n") + "\r"
    assert parse(changed.encode(), "x" + SUFFIX[name]) == instance


@pytest.mark.parametrize("name", FORMATS)
@given(instance=ANY_SHOP)
def test_a_format_writes_all_of_an_instance_or_refuses(name, instance):
    refusal = ""
    content = ""
    try:
        content = dumps(instance, name)
    except InputError as error:
        refusal = str(error)
    if refusal:
        assert f"the format {name} cannot express" in refusal
        assert name != "json"
    else:
        assert parse(content.encode(), "x.txt", name) == instance


@pytest.mark.parametrize(
    ("name", "jobs", "what"),
    [
        ("jsplib", [[[(0, 1), (1, 2)]]], "an operation with a choice of machines"),
        ("jsplib", [[[(0, 1)]], []], "a job without operations"),
        ("fjs", [[[(0, 1)]], []], "a job without operations"),
        ("taillard", [[[(0, 1), (1, 2)]]], "an operation with a choice of machines"),
        ("taillard", [[[(0, 1)]]], "a job that does not visit each machine once"),
        ("taillard", [[[(0, 1)], [(0, 1)]]], "a job that visits a machine twice"),
    ],
)
def test_what_a_format_cannot_express_is_an_error_and_writes_nothing(tmp_path, name, jobs, what):
    target = tmp_path / "out.txt"
    target.write_text("before")
    with pytest.raises(InputError, match=what):
        write(JobShop.flexible("x", 2, jobs), target, name)
    assert target.read_text() == "before"


@pytest.mark.parametrize("name", FORMATS)
def test_write_and_read_a_file(tmp_path, name):
    instance = JobShop.classic("two jobs", 2, [[(0, 3), (1, 2)], [(1, MAX_HORIZON - 9), (0, 4)]])
    path = tmp_path / f"two jobs{SUFFIX[name]}"
    write(instance, path, name)
    assert read(path) == instance
    assert b"\r" not in path.read_bytes()


def test_write_reports_where_it_cannot(tmp_path):
    instance = JobShop.classic("x", 1, [[(0, 1)]])
    with pytest.raises(InputError, match=r"missing/x\.txt: cannot be written: No such file"):
        write(instance, tmp_path / "missing" / "x.txt", "jsplib")


def test_unknown_formats_list_the_known():
    instance = JobShop.classic("x", 1, [[(0, 1)]])
    with pytest.raises(InputError, match="unknown output format 'csv'; known: fjs, json"):
        dumps(instance, "csv")
    with pytest.raises(InputError, match="unknown input format 'jslib'; did you mean jsplib"):
        parse(b"1 1\n0 1\n", "x", "jslib")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\ud800", "n" * 256])
def test_json_refuses_names_it_would_not_read(name):
    instance = JobShop.classic(name, 1, [[(0, 1)]])
    with pytest.raises(InputError, match="name must be printable"):
        dumps(instance, "json")


def instance_or_input_error(content: bytes, name: str | None) -> None:
    try:
        instance = parse(content, "fuzz.txt", name)
    except InputError as error:
        line = str(error)
        assert line.startswith("fuzz.txt:")
        assert line.isprintable()
        assert len(line) < 400
    else:
        assert parse(dumps(instance, "json").encode(), "fuzz.txt", "json") == instance


FUZZ = settings(
    deadline=10_000, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
MAYBE_FORMAT = st.sampled_from([None, *FORMATS])
# fmt: off
WORDS = st.sampled_from([
    *"0123456789", " ", "\n", "-", "-1", ".", "1.5", "1e9", "#", "{", "}", "[", "]", ",", ":",
    '"jobs"', '"name"', "null", "NaN", "true", "Times", "Machines", "Nb of Jobs", "9" * 30,
    "\x00", "\x0c", "\u2028", chr(0x661), "\ufeff", "1_0", "+1", "2147483648", "1000000",
])
# fmt: on


@FUZZ
@given(content=st.binary(max_size=200), name=MAYBE_FORMAT)
@example(content=b"1 1\n-\n", name="fjs")
@example(content=b"9" * 5000 + b" 1\n", name="jsplib")
def test_random_bytes(content, name):
    instance_or_input_error(content, name)


@FUZZ
@given(words=st.lists(WORDS, max_size=60), name=MAYBE_FORMAT)
def test_random_words(words, name):
    instance_or_input_error("".join(words).encode(), name)


@pytest.mark.parametrize("written_as", FORMATS)
@FUZZ
@given(data=st.data())
def test_damaged_files(written_as, data):
    content = dumps(data.draw(EXPRESSIBLE[written_as]), written_as)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        stop = data.draw(st.integers(start, min(len(content), start + 12)))
        content = content[:start] + data.draw(st.one_of(st.just(""), WORDS)) + content[stop:]
    instance_or_input_error(content.encode(), data.draw(MAYBE_FORMAT))


@FUZZ
@given(
    value=st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner)),
    ),
    key=st.sampled_from(["schema_version", "family", "name", "machines", "jobs", "more"]),
)
def test_json_with_any_value_anywhere(value, key):
    root = {"schema_version": 1, "family": "jobshop", "name": "x", "machines": 2}
    root["jobs"] = [[[0, 1], [1, 2]]]
    instance_or_input_error(json.dumps(root | {key: value}).encode(), "json")
    root["jobs"] = [[[0, 1], [[1, 2], value]], [value], value]
    instance_or_input_error(json.dumps(root).encode(), "json")
