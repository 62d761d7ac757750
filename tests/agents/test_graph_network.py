"""The graph network: any instance, any size, the same weights; and the ways to train it."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import cpsched
from cpsched.agents.candidate_env import CandidateVecEnv
from cpsched.agents.candidates import Map
from cpsched.agents.data import PodData, ShopData
from cpsched.agents.episodes import Episodes, roll, root_of
from cpsched.agents.graph_policy import GraphPolicy
from cpsched.agents.graph_training import imitate
from cpsched.agents.imitation import replay
from cpsched.agents.networks.graph import (
    GraphNetwork,
    GraphShape,
    Memory,
    config_of,
    network_of,
    tensors_of,
)
from cpsched.agents.train import train
from cpsched.agents.weights import Checkpoint, load
from cpsched.checking import check
from cpsched.errors import InputError
from cpsched.instances.formats.text import classic
from cpsched.instances.generate import uniform

if TYPE_CHECKING:
    from pathlib import Path

SMALL = GraphShape(width=16, heads=2, layers=2)


def network(instance: Any, seed: int = 0, shape: GraphShape = SMALL) -> GraphNetwork:
    torch.manual_seed(seed)
    return GraphNetwork(shape, root_of(instance).decision.shape[1] - 8)


def policy(instance: Any, seed: int = 0, shape: GraphShape = SMALL) -> GraphPolicy:
    return GraphPolicy(network(instance, seed, shape), instance.family)


FLEXIBLE = """3 3 1.67
2 2 1 3 2 5 1 3 4
2 1 2 6 2 1 2 3 3
2 2 2 3 3 4 1 1 7
"""


def instances() -> dict[str, Any]:
    rng = np.random.default_rng(5)
    clusters = PodData(nodes=(4,), pods_per_node=(4,)).draw(rng, 2)
    return {
        "ft06": cpsched.read("ft06"),
        "uniform": uniform(7, 4, 3, high=20),
        "pods": clusters[0],
        "more pods": clusters[1],
    }


@pytest.mark.parametrize("name", list(instances()))
def test_episodes_end_in_solutions_that_pass_the_check(name: str) -> None:
    instance = instances()[name]
    found = list(policy(instance).roll(instance, samples=6, seed=1, stop=lambda: False))
    assert found
    for solution in found:
        report = check(instance, solution)
        assert report.ok, report.violations
    values = [check(instance, solution).objective for solution in found]
    assert all(later < earlier for earlier, later in pairwise(values))


def test_flexible_shops_too(tmp_path: Path) -> None:
    path = tmp_path / "three.fjs"
    path.write_text(FLEXIBLE)
    instance = cpsched.read(path)
    solution = next(policy(instance).roll(instance, samples=1, seed=0, stop=lambda: False))
    assert check(instance, solution).ok


def test_equal_seeds_are_equal_and_others_differ() -> None:
    shop = uniform(8, 5, 4)
    one = policy(shop)

    def best(seed: int) -> list[int]:
        return [s.makespan for s in one.roll(shop, samples=9, seed=seed, stop=lambda: False)]

    assert best(1) == best(1)
    assert len({tuple(best(seed)) for seed in range(6)}) > 1


def test_a_beam_of_one_is_greedy_and_a_wide_one_finds_the_best_of_a_tiny_shop() -> None:
    shop = uniform(3, 3, 8, high=9)
    one = policy(shop)
    greedy = next(one.roll(shop, samples=1, seed=0, stop=lambda: False))
    narrow = next(one.beam(shop, width=1, stop=lambda: False))
    assert narrow.makespan == greedy.makespan
    wide = next(one.beam(shop, width=600, stop=lambda: False))
    assert check(shop, wide).ok
    # An optimal schedule is always within reach of the active frame.
    assert wide.makespan == cpsched.solve(shop, time_limit=5).objective
    cluster = instances()["pods"]
    assert check(cluster, next(policy(cluster).beam(cluster, width=4, stop=lambda: False))).ok


def rated(net: GraphNetwork, instance: Any) -> dict[int, float]:
    """Score of each legal decision at the root."""
    episodes = Episodes([root_of(instance)], 1)
    candidates = episodes.candidates()
    with torch.inference_mode():
        memory = net.encode(episodes.maps)
        score, _ = net(memory, net.step(memory, candidates, episodes.which, episodes.maps))
    return dict(zip(candidates.index[0].tolist(), score[0].tolist(), strict=True))


def test_the_order_of_jobs_does_not_matter() -> None:
    shop = uniform(6, 4, 11)
    turned = np.roll(np.arange(6), 2)
    machine = shop.machine.reshape(6, 4)[turned].reshape(-1).astype(np.int64)
    duration = shop.duration.reshape(6, 4)[turned].reshape(-1).astype(np.int64)
    other = classic("turned", 4, np.full(6, 4), machine, duration)
    net = network(shop)
    one, two = rated(net, shop), rated(net, other)
    assert len(one) > 1
    for decision, score in one.items():
        job, step = divmod(decision, 4)
        place = int(np.flatnonzero(turned == job)[0])
        assert two[4 * place + step] == pytest.approx(score, abs=1e-4)


def test_every_weight_learns_but_the_value_head() -> None:
    shop = uniform(6, 4, 2)
    net = network(shop)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    lesson = replay(shop, cpsched.solve(shop, time_limit=1, workers=1).solution)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    first = imitate(net, optimiser, [lesson], 1.0)
    for _ in range(30):
        last = imitate(net, optimiser, [lesson], 1.0)
    assert last < 0.5 * first
    for name, tensor in net.state_dict().items():
        # An operation has one before it, one behind and one machine: attention to a single one
        # says nothing.
        alone = any(kind in name for kind in ("__precedes__", "__follows__", "__has__"))
        # Adding a number to all scores changes nothing.
        alone &= name.endswith(("att", "lin_r.weight", "lin_r.bias", "lin_edge.weight"))
        if name.startswith("value.") or alone or name == "score.2.bias":
            continue
        assert not torch.equal(tensor, before[name]), name


@pytest.mark.parametrize("seed", range(8))
def test_a_replayed_solution_is_as_good(seed: int) -> None:
    shop = uniform(5, 4, seed, high=9)
    result = cpsched.solve(shop, time_limit=2, workers=1)
    lesson = replay(shop, result.solution)
    episodes = Episodes([root_of(shop)], 1)
    taken = iter(zip(lesson.steps, lesson.choice.tolist(), strict=True))
    while episodes.live.any():
        candidates = episodes.candidates()
        choice = np.zeros(1, np.int64)
        if (candidates.index[0] >= 0).sum() > 1:
            step, choice[0] = next(taken)
            assert step.index.tolist() == candidates.index.tolist()
        episodes.step(candidates, choice)
    assert episodes.objective[0] <= (result.objective or 0)


def test_memories_join_as_if_encoded_together() -> None:
    shops = [uniform(4, 3, seed) for seed in range(3)]
    net = network(shops[0])
    maps = [Map.of(root_of(shop)) for shop in shops]
    with torch.inference_mode():
        together = net.encode(maps)
        apart = Memory.joined([net.encode([one]) for one in maps])
    for name in ("own", "after", "inside"):
        assert torch.allclose(getattr(together, name), getattr(apart, name), atol=1e-5)
    assert torch.equal(together.decision, apart.decision)
    assert torch.equal(together.constraint, apart.constraint)


def test_a_decision_takes_a_millisecond_at_15x15() -> None:
    shop = uniform(15, 15, 1)
    torch.set_num_threads(1)
    net = network(shop, shape=GraphShape())
    episodes = Episodes([root_of(shop)], 1)
    with torch.inference_mode():
        memory = net.encode(episodes.maps)
    begin = time.perf_counter()
    generator = torch.Generator().manual_seed(0)
    zero = np.zeros(1, np.float32)
    roll(episodes, net, memory, temperature=zero, generator=generator)
    # Measured alone 0.5 ms; other processes run beside the tests.
    assert (time.perf_counter() - begin) / 225 < 0.005


def test_a_checkpoint_that_does_not_fit_is_refused_by_name() -> None:
    shop = uniform(4, 3, 1)
    net = network(shop)
    config, tensors = config_of(net), tensors_of(net)
    again = network_of(config, tensors)
    assert rated(again, shop) == rated(net, shop)
    with pytest.raises(InputError, match="trained with features 0, this version of cpsched has"):
        network_of({**config, "features": 0}, tensors)
    with pytest.raises(InputError, match=r"the weights lack the tensor score\.2\.bias"):
        network_of(config, {k: v for k, v in tensors.items() if k != "score.2.bias"})
    wrong = {**tensors, "mix.bias": np.zeros(3, np.float32)}
    with pytest.raises(InputError, match=r"tensor mix\.bias must have shape \(16,\), not \(3,\)"):
        network_of(config, wrong)
    with pytest.raises(InputError, match="the weights' description of the network is of no use"):
        network_of({"features": config["features"]}, tensors)
    pods = instances()["pods"]
    one = GraphPolicy.of(Checkpoint("graph", "jobshop", config, tensors, {}))
    with pytest.raises(InputError, match="these weights are for jobshop"):
        next(one.roll(pods, samples=1, seed=0, stop=lambda: False))


def test_rewards_of_an_episode_sum_to_the_objective() -> None:
    data = ShopData(sizes=((4, 3), (5, 3)))
    env = CandidateVecEnv(lambda rng: data.draw(rng, 1)[0], 3, 5, data.patterns(), seed=1)
    observed = env.reset()
    rng = np.random.default_rng(0)
    ended = 0
    for _ in range(60):
        masks = np.array(env.env_method("action_masks"))
        assert (masks == (observed["index"] >= 0)).all()
        actions = [int(rng.choice(np.flatnonzero(mask))) for mask in masks]
        observed, _, done, infos = env.step(np.array(actions))
        for row in np.flatnonzero(done).tolist():
            ended += 1
            # 1 less the makespan in parts of the root's bound.
            assert infos[row]["episode"]["r"] <= 1e-9
            assert infos[row]["episode"]["l"] in (12, 15)
            assert set(infos[row]["terminal_observation"]) == set(observed)
    assert ended >= 9
    assert env.observation_space.contains({key: observed[key][0] for key in observed})
    env.forget()
    assert len(env.maps) == 3


TEXT = """\
[run]
family = "{family}"
algorithm = "{algorithm}"
seed = 2
time_limit = 120
updates = {updates}
device = "cpu"

[data]
{data}

[network]
width = 16
heads = 2
layers = 1

[train]
{train}

[validation]
instances = 4
every = {every}
samples = 4
seconds = 0.1
"""
SHOPS = "sizes = [[5, 4], [6, 5]]"
PODS = "nodes = [3, 4]\npods_per_node = [4]"
TRAIN = {
    "imitation": "seconds = 0.05\nlessons = 4\nrate = 0.005",
    "self-labelling": "instances = 4\nsamples = 12\nrate = 0.005",
    "ppo": "envs = 4\nsteps = 32\nbatch = 64\nrate = 0.002",
}


@pytest.mark.parametrize("algorithm", list(TRAIN))
@pytest.mark.parametrize("family", ["jobshop", "pods"])
def test_training(family: str, algorithm: str, tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    updates = 30 if family == "jobshop" else 6
    path.write_text(
        TEXT.format(
            family=family,
            algorithm=algorithm,
            updates=updates,
            every=updates // 3,
            data=SHOPS if family == "jobshop" else PODS,
            train=TRAIN[algorithm],
        )
    )
    best = train(path, tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run/curves.jsonl").read_text().splitlines()]
    assert [line["update"] for line in lines] == [updates // 3, 2 * updates // 3, updates]
    found = load(best, family=family)
    assert found.kind == "graph"
    key = "gap to auto on the validation instances, %"
    assert found.card["results"][key]["greedy"] == pytest.approx(
        min(line["gap"] for line in lines), abs=0.001
    )
    # From where it stopped: two updates more.
    train(path, tmp_path / "run", changes={"run.updates": str(updates + 2)})
    lines = [json.loads(line) for line in (tmp_path / "run/curves.jsonl").read_text().splitlines()]
    assert lines[-1]["update"] == updates + 2


def test_imitation_beats_random_weights(tmp_path: Path) -> None:
    shops = ShopData(sizes=((6, 5),)).held_out(6)
    net = network(shops[0])
    lessons = [
        replay(shop, cpsched.solve(shop, time_limit=0.3, workers=1).solution)
        for shop in ShopData(sizes=((6, 5),)).draw(np.random.default_rng(0), 12)
    ]

    def mean() -> float:
        one = GraphPolicy(net, "jobshop")
        found = [next(one.roll(s, samples=1, seed=0, stop=lambda: False)) for s in shops]
        return float(np.mean([solution.makespan for solution in found]))

    before = mean()
    optimiser = torch.optim.Adam(net.parameters(), lr=0.003)
    for _ in range(40):
        imitate(net.train(), optimiser, lessons, 1.0)
    assert mean() < before
