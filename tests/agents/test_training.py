"""Configurations, run folders, and what a kill, a full disk or a bad loss leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from cpsched.agents.config import Config, parse, read
from cpsched.agents.run import BEST, CONFIG, CURVES, LAST, RECORD, Run, State, TrainingError
from cpsched.agents.train import train
from cpsched.agents.weights import Checkpoint, digest, load
from cpsched.errors import InputError

ROOT = Path(__file__).resolve().parents[2]

TEXT = """\
[run]
family = "jobshop"
algorithm = "evolution"
seed = 3
time_limit = 60
updates = 6
device = "cpu"

[data]
sizes = [[5, 4], [6, 5]]

[network]
width = 6
depth = 4

[train]
pairs = 6
instances = 4

[validation]
instances = 4
every = 2
samples = 4
seconds = 0.02
"""


def config(text: str = TEXT) -> Config:
    return parse(text, source="trial.toml")


def test_values_and_defaults() -> None:
    found = config()
    assert found.run.updates == 6
    assert found["data"].sizes == ((5, 4), (6, 5))
    assert found["train"].sigma == 0.04
    assert found.record()["network"] == {"width": 6, "depth": 4, "temperature": 0.2}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "pairs = 6",
            "pair = 6",
            r"trial.toml:17: unknown key in \[train\] 'pair'; did you",
        ),
        ("[train]", "[training]", r"trial.toml:16: unknown table 'training'; did you mean train"),
        ("pairs = 6", 'pairs = "6"', r"trial.toml:17: train.pairs must be an integer, not '6'"),
        ("pairs = 6", "pairs = 0", r"trial.toml:17: pairs must be at least 1, not 0"),
        ("[[5, 4], ", "[[5], ", r"trial.toml:10: data.sizes must be 2 values, not \[5\]"),
        ('"evolution"', '"evolutoin"', "trial.toml:3: unknown algorithm for jobshop 'evolutoin'"),
        ('"jobshop"', '"jobs"', "trial.toml:2: unknown family 'jobs'"),
        ('family = "jobshop"\n', "", r"trial.toml:1: \[run\] needs family"),
        ("seed = 3", "seed = ", "trial.toml:4: is no TOML"),
        ('"cpu"', '"gpu"', "trial.toml:7: unknown device 'gpu'"),
        ("time_limit = 60", "time_limit = -1", "trial.toml:5: time_limit must be above 0"),
    ],
)
def test_bad_configurations(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(InputError, match=message):
        config(TEXT.replace(old, new, 1))


def test_changes_replace_values(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text(TEXT)
    found, _ = read(path, {"train.pairs": "9", "run.algorithm": "evolution"})
    assert found["train"].pairs == 9
    with pytest.raises(InputError, match=r"a change must be TABLE\.KEY=VALUE"):
        read(path, {"pairs": "9"})
    with pytest.raises(InputError, match="cannot be read: no such file"):
        read(tmp_path / "gone.toml")


def run_of(folder: Path, text: str = TEXT) -> Run:
    return Run(config(text), text, folder)


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / CURVES).read_text().splitlines()]


def test_training_improves_and_equal_seeds_are_equal(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text(TEXT)
    for name in ("one", "other"):
        best = train(path, tmp_path / name, changes={"run.updates": "20"})
        assert best == tmp_path / name / BEST
    one, other = lines(tmp_path / "one"), lines(tmp_path / "other")
    assert [line["update"] for line in one] == list(range(2, 21, 2))
    assert [line["cost"] for line in one] == [line["cost"] for line in other]
    assert min(line["gap"] for line in one[1:]) < one[0]["gap"]
    card = load(tmp_path / "one" / BEST, family="jobshop").card
    assert card["seeds"] == [3]
    assert list((tmp_path / "one" / "tensorboard").iterdir())


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text(TEXT)
    # A rate that does not fall: how far it has fallen depends on the number of updates.
    steady = {"train.final": "1.0"}
    train(path, tmp_path / "whole", changes={"run.updates": "8", **steady})
    for updates in ("3", "8"):
        train(path, tmp_path / "parts", changes={"run.updates": updates, **steady})
    whole, parts = lines(tmp_path / "whole"), lines(tmp_path / "parts")
    # The last update of a part is validated, too.
    assert [line["update"] for line in parts] == [2, 3, 4, 6, 8]
    assert [line["cost"] for line in whole] == [line["cost"] for line in parts[:1] + parts[2:]]
    with np.load(tmp_path / "whole" / LAST) as one, np.load(tmp_path / "parts" / LAST) as other:
        assert np.array_equal(one["weights"], other["weights"])


def test_a_kill_loses_at_most_one_update(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text(TEXT.replace("updates = 6", "updates = 100000"))
    folder = tmp_path / "run"
    command = [sys.executable, "scripts/train_jobshop.py", str(path), str(folder), "--quiet"]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        until = time.monotonic() + 60
        while not (folder / CURVES).exists() or len(lines(folder)) < 3:
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    logged = (folder / CURVES).read_text().splitlines()
    before = run_of(folder, path.read_text()).update
    whole = [line for line in logged if line.endswith("}")]
    assert before >= json.loads(whole[-1])["update"] - 1
    done = train(path, folder, changes={"run.updates": str(before + 4)})
    updates = [line["update"] for line in lines(folder)]
    assert updates == sorted(set(updates))
    assert updates[-1] >= before + 3
    assert done.exists()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="the folder is not empty and holds no training run"):
        run_of(tmp_path)
    run_of(tmp_path / "run")
    with pytest.raises(InputError, match="holds a run of another configuration"):
        run_of(tmp_path / "run", TEXT.replace("pairs = 6", "pairs = 7"))
    run_of(tmp_path / "run", TEXT.replace("updates = 6", "updates = 7"))


def checkpoint() -> Checkpoint:
    return Checkpoint("score", "jobshop", {}, {"w": np.ones(1, np.float32)}, {})


def test_a_loss_that_is_no_number_ends_the_run_and_leaves_the_last_state(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    run.log(loss=1.0)
    assert run.validated(5.0, checkpoint)
    run.save(State({"weights": np.arange(3.0)}))
    with pytest.raises(TrainingError, match=r"update 2: loss is nan; the last good .*last"):
        run.log(loss=float("nan"))
    with pytest.raises(TrainingError, match="update 2: the validation gap is inf"):
        run.validated(float("inf"), checkpoint)
    assert not run.validated(5.0, checkpoint)
    again = run_of(tmp_path / "run").resumed()
    assert again is not None
    assert again.arrays["weights"].tolist() == [0.0, 1.0, 2.0]
    assert [line["update"] for line in lines(tmp_path / "run")] == [1]


def test_weights_that_are_no_numbers_are_not_saved(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    run.save(State({"weights": np.zeros(2)}))
    with pytest.raises(TrainingError, match=r"update 2: weights are no longer finite; .*last"):
        run.save(State({"weights": np.array([0.0, np.inf])}))
    again = run_of(tmp_path / "run")
    assert again.update == 1


def test_a_line_that_a_full_disk_cut_short_is_left_out(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    run.log(loss=1.0)
    run.save(State({"weights": np.zeros(2)}))
    with (tmp_path / "run" / CURVES).open("a") as file:
        file.write('{"update": 2, "lo')
    run_of(tmp_path / "run")
    assert [line["update"] for line in lines(tmp_path / "run")] == [1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (LAST, r"last\.npz: is no state of a training run"),
        (RECORD, r"run\.json: is no record of a training run"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04 cut"])
def test_damaged_files_of_a_run_are_named(
    name: str, message: str, content: bytes, tmp_path: Path
) -> None:
    run_of(tmp_path / "run").save(State({"weights": np.zeros(2)}))
    (tmp_path / "run" / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        run_of(tmp_path / "run")


def test_a_run_that_was_killed_at_its_very_beginning_can_begin(tmp_path: Path) -> None:
    run_of(tmp_path / "run")
    (tmp_path / "run" / CONFIG).unlink()
    assert run_of(tmp_path / "run").update == 0
    assert (tmp_path / "run" / CONFIG).read_text() == TEXT


def test_time_inside_another_share_counts_once(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    with run.share("copy"):
        for _ in range(2):
            with run.share("environment"):
                time.sleep(0.03)
        with run.share("learning"), run.share("network"):
            time.sleep(0.06)
    with run.share("validation"):
        time.sleep(0.12)
    run.log(decisions=12.0)
    (line,) = lines(tmp_path / "run")
    shares = {name: line[f"share_{name}"] for name in ("environment", "network", "validation")}
    assert shares["environment"] > 0.15
    assert shares["network"] > 0.15
    assert line["share_copy"] < 0.2
    assert line["share_learning"] < 0.2
    total = sum(part for name, part in line.items() if name.startswith("share_"))
    assert total == pytest.approx(1.0, abs=0.001)
    # 12 decisions in the 0.12 s that were not spent on validation, or a little more.
    assert 12 < line["decisions_per_second"] <= 100


GRAPH = TEXT.replace("evolution", "{algorithm}").replace(
    "width = 6\ndepth = 4", "width = 8\nheads = 2\nlayers = 1"
)
LEARN = {
    "self-labelling": "instances = 2\nsamples = 4",
    "imitation": "seconds = 0.02\nlessons = 2",
    "ppo": "envs = 2\nsteps = 16\nbatch = 16\nepochs = 1",
}


def graph_text(algorithm: str) -> str:
    text = GRAPH.replace("{algorithm}", algorithm)
    return text.replace("pairs = 6\ninstances = 4", LEARN[algorithm])


def test_ppo_says_where_the_time_goes(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text(graph_text("ppo"))
    train(path, tmp_path / "run", changes={"run.updates": "4"})
    for line in lines(tmp_path / "run"):
        assert line["decisions"] == 2 * 16 * 2
        assert line["decisions_per_second"] > 0
        for name in ("environment", "network", "learning", "copy", "validation"):
            assert line[f"share_{name}"] >= 0


def test_equal_seeds_of_ppo_are_equal(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text(graph_text("ppo"))
    for name in ("one", "other"):
        train(path, tmp_path / name, changes={"run.updates": "4"})
    one, other = (load(tmp_path / name / BEST) for name in ("one", "other"))
    assert all(np.array_equal(one.tensors[name], other.tensors[name]) for name in one.tensors)


@pytest.mark.parametrize("algorithm", list(LEARN))
def test_a_graph_network_that_goes_astray_ends_the_run(
    algorithm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trial.toml"
    path.write_text(graph_text(algorithm))
    train(path, tmp_path / "run", changes={"run.updates": "1"})
    before = (tmp_path / "run" / LAST).read_bytes()
    step = torch.optim.Adam.step

    def astray(self: torch.optim.Adam, *arguments: object) -> object:
        result = step(self, *arguments)
        with torch.no_grad():
            self.param_groups[0]["params"][0].fill_(float("nan"))
        return result

    monkeypatch.setattr(torch.optim.Adam, "step", astray)
    with pytest.raises(TrainingError, match="no longer finite; the last good state is kept"):
        train(path, tmp_path / "run", changes={"run.updates": "9"})
    assert (tmp_path / "run" / LAST).read_bytes() == before


def test_weights_to_start_with_must_fit_and_are_needed_once(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text(graph_text("self-labelling"))
    first = train(path, tmp_path / "first", changes={"run.updates": "1"})
    path.write_text(graph_text("ppo"))
    start = {"train.start": f'"{first}"'}
    with pytest.raises(InputError, match=r"has width 8, the configuration's network\.width is 12"):
        train(path, tmp_path / "wide", changes={"network.width": "12", **start})
    train(path, tmp_path / "run", changes={"run.updates": "1", **start})
    said = load(tmp_path / "run" / BEST).card["config"]["train"]["start"]
    assert said == f"first, SHA-256 {digest(first)}"
    first.unlink()
    train(path, tmp_path / "run", changes={"run.updates": "2", **start})
    assert lines(tmp_path / "run")[-1]["update"] == 2


@pytest.mark.parametrize(
    ("algorithm", "key", "value", "message"),
    [
        ("imitation", "train.seconds", "1e-7", "train.seconds is too short: the solver comes to"),
        ("ppo", "validation.seconds", "1e-7", "validation.seconds is too short: the solver"),
        ("ppo", "train.batch", "1", "batch must be at least 2, not 1"),
        ("ppo", "train.batch", "31", "batch must not leave one step over of the 32 of an update"),
        ("ppo", "run.seed", "4294967296", "seed must be in 0..2147483647, not 4294967296"),
    ],
)
def test_values_that_nothing_can_be_learnt_with(
    algorithm: str, key: str, value: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "trial.toml"
    path.write_text(graph_text(algorithm))
    with pytest.raises(InputError, match=message):
        train(path, tmp_path / "run", changes={key: value})


def test_a_full_disk_leaves_the_last_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path / "run")
    run.save(State({"weights": np.zeros(2)}))

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(InputError, match=r"last\.npz: cannot be written: no space left"):
            run.save(State({"weights": np.ones(2)}))
    state = run_of(tmp_path / "run").resumed()
    assert state is not None
    assert state.arrays["weights"].tolist() == [0.0, 0.0]


def test_command(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text(TEXT)
    base = [sys.executable, "scripts/train_jobshop.py"]
    done = subprocess.run(
        [*base, path, tmp_path / "run", "--set", "run.updates=2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "run" / BEST)
    done = subprocess.run(
        [*base, path, tmp_path / "run", "--set", "train.pair=2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "unknown key in [train] 'pair'" in done.stderr


@pytest.mark.parametrize("ray", [(), ("--ray", "local")])
def test_seeds_side_by_side(tmp_path: Path, ray: tuple[str, ...]) -> None:
    path = tmp_path / "trial.toml"
    path.write_text(TEXT)
    command = [sys.executable, "scripts/train_jobshop.py", str(path), str(tmp_path / "runs")]
    command += ["--seeds", "4,5", "--set", "run.updates=2", "--jobs", "1", *ray]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for seed in (4, 5):
        card = load(tmp_path / "runs" / f"seed-{seed}" / BEST, family="jobshop").card
        assert card["seeds"] == [seed]
    said = sorted(line.partition(":")[0] for line in done.stdout.splitlines())
    assert said == ["seed 4", "seed 5"]
