"""The format of the ROADEF/EURO challenge 2012: two files that belong together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from random_reassignments import random_reassignment

from cpsched.checking import check
from cpsched.errors import InputError
from cpsched.instances import dumps, parse, read, read_all, read_folder, reading, write
from cpsched.reassignment.cost import cost
from cpsched.reassignment.solution import Assignment

SHARED = Path(__file__).parents[3] / "shared" / "data" / "vms" / "roadef2012_A"

MODEL = """2
1 100
0 10
2
0 0 10 10 4 5 0 3
0 1 10 10 9 9 2 0
2
1 0
2 1 0
3
0 3 4 7
1 2 2 8
1 5 1 9
1
0 1 20
5
2 11 13
"""


def written(folder: Path, model: str = MODEL, assignment: str | None = "0 0 1\n") -> Path:
    path = folder / "model_x.txt"
    path.write_text(model)
    if assignment is not None:
        (folder / "assignment_x.txt").write_text(assignment)
    return path


def test_model_by_hand(tmp_path: Path) -> None:
    found = read(written(tmp_path))
    assert (found.name, found.family) == ("x", "reassignment")
    assert found.transient.tolist() == [True, False]
    assert found.load_weight.tolist() == [100, 10]
    assert found.neighbourhood.tolist() == [0, 0]
    assert found.location.tolist() == [0, 1]
    assert found.capacity.tolist() == [[10, 10], [10, 10]]
    assert found.safety.tolist() == [[4, 5], [9, 9]]
    assert found.machine_move_cost.tolist() == [[0, 3], [2, 0]]
    assert found.spread_min.tolist() == [1, 2]
    assert found.dependency.tolist() == [[1, 0]]
    assert found.service.tolist() == [0, 1, 1]
    assert found.requirement.tolist() == [[3, 4], [2, 2], [5, 1]]
    assert found.process_move_cost.tolist() == [7, 8, 9]
    assert found.balance.tolist() == [[0, 1, 20]]
    assert found.balance_weight.tolist() == [5]
    assert (found.process_weight, found.service_weight, found.machine_weight) == (2, 11, 13)
    assert found.machine.tolist() == [0, 0, 1]


@pytest.mark.parametrize("seed", range(10))
def test_what_is_written_is_read(seed: int, tmp_path: Path) -> None:
    instance = replace(random_reassignment(seed, resources=1 + seed % 4), name="x")
    path = tmp_path / "model_x.txt"
    write(instance, path, "roadef")
    assert read(path) == instance
    assert read(path, "roadef") == instance
    assert read_folder(tmp_path) == [instance]
    assert read_all([path, path]) == [instance, instance]


def test_spacing_does_not_matter(tmp_path: Path) -> None:
    expected = read(written(tmp_path))
    model = MODEL.replace("\n", " \r\n").replace("3 4 7", "3\t4  7") + "\r\n\r\n"
    assert read(written(tmp_path, model, "\n 0 0 1 \n\n")) == expected


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("1 100\n", "2 100\n", 2, "transient is 0 or 1, not 2"),
        ("2\n1 100\n", "0\n1 100\n", 1, r"0 resources; 1\.\.100 are allowed"),
        ("0 0 10 10 4 5 0 3", "0 0 10 10 4 5 0", 5, "machine 0: 8 numbers are needed, not 7"),
        ("0 0 10 10 4 5 0 3", "0 0 10 -1 4 5 0 3", 5, "machine 0: -1 is out of range"),
        ("0 0 10 10 4 5 0 3", "0 0 10 1.5 4 5 0 3", 5, "machine 0: integers are needed"),
        ("2\n1 0\n", "9999999\n1 0\n", 7, "9999999 services"),
        ("2 1 0\n", "2 2 0\n", 9, "service 1: the least spread"),
        ("2 1 0\n", "2 1 2\n", 9, "service 2 does not exist; there are 2, counted from 0"),
        ("1 2 2 8\n", "2 2 2 8\n", 12, "service 2 does not exist"),
        ("0 1 20\n", "0 2 20\n", 15, "resource 2 does not exist"),
        ("20\n5\n", "20\n5 5\n", 16, "the weight of balance 0: 1 numbers are needed, not 2"),
        ("2 11 13\n", "", 16, "the file ends before the weights"),
        ("2 11 13\n", "2 11 13\n7\n", 18, "nothing may follow here"),
    ],
)
def test_wrong_model(tmp_path: Path, old: str, new: str, line: int, reason: str) -> None:
    assert MODEL.count(old) == 1
    path = written(tmp_path, MODEL.replace(old, new))
    with pytest.raises(InputError, match=reason) as caught:
        read(path, "roadef")
    assert caught.value.line == line
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("assignment", "line", "reason"),
    [
        ("0 0\n", 1, "3 numbers are needed, not 2"),
        ("\n0 0 2\n", 2, "machine 2 does not exist; there are 2"),
        ("0 0 one\n", 1, "integers are needed"),
        ("0 0 1\n0\n", 2, "nothing may follow"),
        ("\n", None, "the file ends before"),
    ],
)
def test_wrong_assignment(tmp_path: Path, assignment: str, line: int | None, reason: str) -> None:
    path = written(tmp_path, assignment=assignment)
    with pytest.raises(InputError, match=reason) as caught:
        read(path)
    assert caught.value.line == line
    assert "assignment_x.txt" in str(caught.value)


def test_missing_assignment_names_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, assignment=None)
    with pytest.raises(InputError, match=r"no file .*assignment_x\.txt") as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_a_model_needs_a_name_that_leads_to_the_assignment() -> None:
    with pytest.raises(InputError, match=r"a model is called model_X\.txt"):
        parse(MODEL.encode(), "<stdin>")


def test_only_models_and_snapshots_may_be_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 50)
    assert len(MODEL) > 50
    assert read(written(tmp_path)).num_processes == 3
    with pytest.raises(InputError, match="more than the 50 bytes"):
        read(written(tmp_path), "jsplib")
    # A table of costs may be large, a job shop in JSON may not.
    shop = tmp_path / "shop.json"
    shop.write_text(dumps(read("ft06"), "json"))
    with pytest.raises(InputError, match="more than the 50 bytes"):
        read(shop)


def test_one_text_cannot_hold_it(tmp_path: Path) -> None:
    instance = read(written(tmp_path))
    with pytest.raises(InputError, match="several files"):
        dumps(instance, "roadef")
    with pytest.raises(InputError, match="these can: roadef"):
        dumps(instance, "taillard")
    with pytest.raises(InputError, match=r"a model is called model_X\.txt"):
        write(instance, tmp_path / "other.txt", "roadef")
    assert not (tmp_path / "other.txt").exists()


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data/vms/roadef2012_A")
@pytest.mark.parametrize(
    ("name", "before", "shape"),
    [
        ("a1_1", 49_528_750, (4, 100, 79, 2)),
        ("a1_2", 1_061_649_570, (100, 1000, 980, 4)),
        ("a1_4", 632_499_600, (50, 1000, 142, 3)),
        ("a2_5", 787_355_300, (50, 1000, 153, 12)),
    ],
)
def test_costs_published_with_the_challenge(
    name: str, before: int, shape: tuple[int, int, int, int]
) -> None:
    instance = read(SHARED / f"model_{name}.txt")
    assert instance.name == name
    assert shape == (
        instance.num_machines,
        instance.num_processes,
        instance.num_services,
        instance.num_resources,
    )
    assert check(instance, Assignment.now(instance)).objective == before
    assert cost(instance, instance.machine).process_move == 0
