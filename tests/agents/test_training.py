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

from cpsched.agents.config import Config, parse, read
from cpsched.agents.run import BEST, CURVES, LAST, Run, State, TrainingError
from cpsched.agents.train import train
from cpsched.agents.weights import Checkpoint, load
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
