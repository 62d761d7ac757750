"""Weights on disk: whole or not at all, and refused by name where they do not fit."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save_file

from cpsched.agents.weights import Checkpoint, load, save, shipped
from cpsched.errors import InputError, UnknownNameError
from cpsched.learned import BEAM_WEIGHTS, DEFAULT_WEIGHTS

if TYPE_CHECKING:
    from pathlib import Path


def made(**more: object) -> Checkpoint:
    tensors = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(1, np.float32)}
    fields: dict[str, object] = {
        "kind": "score",
        "family": "jobshop",
        "config": {"features": 26, "hidden": [24, 12]},
        "tensors": tensors,
        "card": {"seeds": [1, 2], "title": "a trial"},
    }
    return Checkpoint(**(fields | more))  # type: ignore[arg-type]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    one = made()
    save(one, tmp_path / "one.safetensors")
    other = load(tmp_path / "one.safetensors", family="jobshop")
    assert (other.kind, other.family, other.config, other.card) == (
        one.kind,
        one.family,
        one.config,
        one.card,
    )
    assert {name: tensor.tolist() for name, tensor in other.tensors.items()} == {
        name: tensor.tolist() for name, tensor in one.tensors.items()
    }
    assert [path.name for path in tmp_path.iterdir()] == ["one.safetensors"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"kind": "scores"}, "did you mean score"),
        ({"tensors": {}}, "weights without tensors"),
        ({"tensors": {"w": np.ones(2)}}, "tensor w must be float32, not float64"),
        ({"tensors": {"w": np.array([np.nan], np.float32)}}, "tensor w holds a number that is"),
    ],
)
def test_what_is_no_checkpoint(more: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(**more)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown weights 'jobshop-scor'"):
        load("jobshop-scor")
    with pytest.raises(InputError, match=r"gone\.safetensors: there is no such file of weights"):
        load(tmp_path / "gone.safetensors")
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"no weights at all")
    with pytest.raises(InputError, match=r"other\.safetensors: not a safetensors file"):
        load(path)
    save_file({"w": np.ones(2, np.float32)}, path)
    with pytest.raises(InputError, match="a safetensors file, but not one of cpsched"):
        load(path)
    save(made(), path)
    with pytest.raises(InputError, match="for the family jobshop, not for vms"):
        load(path, family="vms")
    cut = path.read_bytes()[:-5]
    path.write_bytes(cut)
    with pytest.raises(InputError, match="not a safetensors file"):
        load(path)


def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.safetensors"
    save(made(), path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="cannot be written: no space left on device"):
        save(made(card={}), path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["one.safetensors"]


def test_default_weights_are_shipped() -> None:
    assert {*DEFAULT_WEIGHTS.values(), *BEAM_WEIGHTS.values()} == set(shipped())


def test_shipped_weights_can_be_loaded() -> None:
    for name, line in shipped().items():
        found = load(name)
        assert line.startswith(found.family)
        size = sum(tensor.nbytes for tensor in found.tensors.values())
        assert size < 4_000_000
        assert {"data", "seeds", "seconds", "device", "results", "versions", "date"} <= set(
            found.card
        )
        assert "/" not in str(found.card["config"]), "no path of a machine"
