"""The methods policy and hybrid: solvers like any other, and what they refuse."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

import cpsched
from cpsched import learned, solving
from cpsched.agents.data import PodData
from cpsched.agents.score import jobshop as shop_score
from cpsched.agents.score.flat import initial
from cpsched.agents.weights import Checkpoint, save
from cpsched.cli import app
from cpsched.errors import InputError, MethodError, UnknownNameError
from cpsched.instances.generate import uniform
from cpsched.instances.generate_vms import generate_vms
from cpsched.jobshop.score import Network, Shop, dispatch, shapes
from cpsched.learned import Inference

if TYPE_CHECKING:
    from cpsched.result import Result

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def weights(tmp_path: Path) -> str:
    """A file of random weights of the score."""
    network = Network(initial(shapes(6, 4), np.random.default_rng(3)), 6, 4)
    path = tmp_path / "random.safetensors"
    tensors = shop_score.tensors_of(network)
    save(Checkpoint("score", "jobshop", shop_score.config_of(network, 0.3), tensors, {}), path)
    return str(path)


def test_more_samples_are_as_good_or_better(weights: str) -> None:
    shop = uniform(10, 6, 5)
    found = [
        cpsched.solve(shop, method=f"policy:{n}", inference=Inference(weights=weights), seed=2)
        for n in (1, 2, 40)
    ]
    objectives = [result.objective for result in found]
    assert objectives == sorted(objectives, reverse=True)
    assert objectives[2] < objectives[0]
    again = cpsched.solve(
        shop, method="policy", inference=Inference(40, weights), seed=2, workers=1
    )
    assert again.objective == objectives[2]
    assert again.learned is not None
    assert (again.learned["samples"], again.learned["weights"]) == (40, weights)
    assert found[0].bound == cpsched.solve(shop, method="rule:spt").bound
    assert {point.source for point in again.trace} <= {"bounds", "policy"}


def test_a_policy_proves_what_its_bound_reaches() -> None:
    shop = uniform(30, 2, 7)
    result = cpsched.solve(shop, method="policy:64")
    assert result.status == "optimal"
    assert result.objective == result.bound


def test_hybrid_goes_on_with_the_portfolio(weights: str) -> None:
    shop = uniform(8, 5, 1)
    asked = Inference(weights=weights)
    result = cpsched.solve(shop, method="hybrid", inference=asked, time_limit=5, workers=1)
    assert result.status == "optimal"
    assert result.objective == cpsched.solve(shop, time_limit=5).objective
    assert result.learned is not None
    assert result.learned["samples"] == 32


def test_shipped_policies_are_better_than_what_they_compete_with() -> None:
    shops = [uniform(15, 10, 2_000_000 + k, high=99) for k in range(6)]

    def total(method: str) -> int:
        return sum(cpsched.solve(shop, method=method).objective or 0 for shop in shops)

    rule, greedy, many = total("rule:mwkr"), total("policy"), total("policy:64")
    # The published margin is 5 to 10 per cent each.
    assert greedy < 0.95 * rule
    assert many < 0.985 * greedy


def test_the_policy_of_vms_comes_close_to_the_optimum() -> None:
    for seed in range(2_000_000, 2_000_003):
        cluster = generate_vms(140, "high", seed)
        rates = {
            method: _rate(cluster, cpsched.solve(cluster, method=method, time_limit=10, workers=1))
            for method in ("policy", "greedy", "auto")
        }
        assert rates["auto"] <= rates["policy"] <= 1.02 * rates["auto"]
        assert rates["policy"] <= rates["greedy"]


def test_the_policy_of_pods_places_no_fewer_than_the_default_scheduler() -> None:
    rng = np.random.default_rng(2_000_000)
    unplaced = {"policy": 0, "default-scheduler": 0, "best-fit": 0}
    for cluster in PodData(nodes=(8, 16), bare=1.0).draw(rng, 12):
        for method in unplaced:
            result = cpsched.solve(cluster, method=method, time_limit=10, workers=1)
            assert result.solution is not None
            unplaced[method] += int((result.solution.node < 0).sum())
    assert unplaced["policy"] < unplaced["default-scheduler"] < unplaced["best-fit"]


def _rate(cluster: object, result: Result[object]) -> float:
    from cpsched import families

    record = families.get("vms").record(cluster, result.solution, result.bound)
    return float(record["fr_after"])


def test_stop_keeps_the_best_so_far() -> None:
    stop = threading.Event()
    shop = uniform(40, 20, 3)
    timer = threading.Timer(0.5, stop.set)
    timer.start()
    result = cpsched.solve(shop, method="policy:1000000", time_limit=60, stop=stop)
    assert result.solution is not None
    assert result.wall_time < 5


def test_a_time_limit_ends_the_draws() -> None:
    result = cpsched.solve(uniform(40, 20, 3), method="policy:1000000", time_limit=0.5)
    assert result.solution is not None
    assert result.wall_time < 1.5


def test_words() -> None:
    assert learned.is_learned("policy:128")
    assert not any(map(learned.is_learned, ("policy:", "policy:x", "rule:spt", "policies")))
    assert {"policy", "hybrid"} <= set(solving.methods(uniform(3, 3, 1)))
    with pytest.raises(UnknownNameError, match="unknown method 'polcy'; did you mean policy"):
        solving.check_method("polcy")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"samples": 0}, r"samples must be in 1\.\.1000000, not 0"),
        ({"temperature": 0.0}, r"temperature must be in \(0, 1000\], not 0\.0"),
    ],
)
def test_values_out_of_range(asked: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Inference(**asked)  # type: ignore[arg-type]


def test_what_is_refused(weights: str, tmp_path: Path) -> None:
    shop = uniform(4, 3, 1)

    def solve(method: str = "policy", **asked: object) -> None:
        cpsched.solve(shop, method=method, inference=Inference(**asked))  # type: ignore[arg-type]

    with pytest.raises(InputError, match="method policy:8 and 4 samples contradict each other"):
        solve("policy:8", samples=4)
    with pytest.raises(InputError, match="method auto asks no policy"):
        solve("auto", samples=4)
    with pytest.raises(UnknownNameError, match="unknown weights 'jobshop-scor'; did you mean jo"):
        solve(weights="jobshop-scor")
    with pytest.raises(InputError, match="these weights are for the family vms, not for jobshop"):
        solve(weights="vms-score")
    with pytest.raises(MethodError, match="method policy has no weights for"):
        cpsched.solve(_reassignment(), method="policy")
    path = tmp_path / "three.fjs"
    path.write_text("1 2 2\n1 2 1 3 2 5\n")
    with pytest.raises(InputError, match="needs one machine per operation"):
        cpsched.solve(cpsched.read(path), method="policy")


def _reassignment() -> object:

    from random_reassignments import random_reassignment

    return random_reassignment(1)


def test_weights_of_other_features_are_refused_by_name(weights: str, tmp_path: Path) -> None:
    from cpsched.agents.weights import load

    found = load(weights)
    config = {**found.config, "num_features": 7}
    path = tmp_path / "old.safetensors"
    save(Checkpoint("score", "jobshop", config, found.tensors, {}), path)
    with pytest.raises(InputError, match="trained with num_features 7, this version of cpsched"):
        cpsched.solve(uniform(4, 3, 1), method="policy", inference=Inference(weights=str(path)))


def test_greedy_is_what_the_kernel_dispatches(weights: str) -> None:
    from cpsched.agents.weights import load

    shop = uniform(9, 7, 12)
    found = load(weights)
    network = shop_score.network_of(found.tensors, 6, 4)
    result = cpsched.solve(shop, method="policy", inference=Inference(weights=weights))
    assert result.objective == dispatch(Shop(shop), network)[0]


def test_command_line(weights: str, tmp_path: Path) -> None:
    run = CliRunner().invoke
    done = run(app, ["solve", "ft06", "-m", "policy:4", "--weights", weights, "-f", "json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["learned"]["samples"] == 4
    assert said["method"] == "policy:4"
    for arguments, message in (
        (["-m", "policy", "--samples", "0"], "samples must be in 1..1000000, not 0"),
        (["-m", "tabu", "--samples", "3"], "--samples is for the methods policy, beam and hybrid"),
        (["-m", "policy", "--weights", "none.safetensors"], "there is no such file of weights"),
    ):
        done = run(app, ["solve", "ft06", *arguments])
        assert done.exit_code == 2
        assert message in str(done.output) + str(done.exception)
    file = tmp_path / "runs.jsonl"
    words = ["bench", "ft06", "--methods", "policy,policy:3", "--weights", weights]
    done = run(app, [*words, "-o", str(file), "-q"])
    assert done.exit_code == 0, done.output
    records = [json.loads(line) for line in file.read_text().splitlines()]
    assert [record["learned"]["samples"] for record in records] == [1, 3]


def test_the_score_needs_no_torch() -> None:
    code = (
        "import sys, cpsched\n"
        "result = cpsched.solve(cpsched.read('ft06'), method='policy:4')\n"
        "print(result.objective, 'torch' in sys.modules, 'gymnasium' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split()[1:] == ["False", "False"], done.stderr
