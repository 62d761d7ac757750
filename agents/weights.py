"""Weights on disk: tensors and what is known of them, in one safetensors file.

The file's metadata are three JSON texts: ``about`` (kind, family, version of this layout),
``config`` (what the network needs to be rebuilt) and ``card`` (where the weights come from and
what they reach). Needs numpy and safetensors only.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from cpsched.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    import numpy.typing as npt

SUFFIX = ".safetensors"
#: Kinds of weights, with one line each.
KINDS = {
    "score": "a small network that scores what is in conflict",
    "graph": "a graph network with a pointer to the next decision",
}

_LAYOUT = 1
_FOLDER = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True)
class Checkpoint:
    """Trained weights and what is known of them.

    Parameters
    ----------
    kind
        One of ``KINDS``.
    family
        Name of the problem family that they are for.
    config
        What the network needs to be rebuilt, and the version of the features that it was trained
        on; JSON.
    tensors
        float32 arrays by name.
    card
        Where they come from: data, seeds, seconds, device, algorithm, results, versions, date;
        JSON.

    Raises InputError for an unknown kind, no tensors, or a number that is not finite.
    """

    kind: str
    family: str
    config: dict[str, Any]
    tensors: dict[str, npt.NDArray[np.float32]]
    card: dict[str, Any]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError.of("kind of weights", str(self.kind), KINDS)
        if not self.tensors:
            raise InputError("weights without tensors")
        for name, tensor in self.tensors.items():
            if tensor.dtype != np.float32:
                raise InputError(f"tensor {name} must be float32, not {tensor.dtype}")
            if not np.isfinite(tensor).all():
                raise InputError(f"tensor {name} holds a number that is not finite")


def save(checkpoint: Checkpoint, path: str | os.PathLike[str]) -> None:
    """Write *checkpoint* to *path*, whole or not at all.

    Raises InputError if it cannot be written; what was there before is then still there.
    """
    about = {"layout": _LAYOUT, "kind": checkpoint.kind, "family": checkpoint.family}
    metadata = {
        "about": json.dumps(about),
        "config": json.dumps(checkpoint.config, allow_nan=False),
        "card": json.dumps(checkpoint.card, allow_nan=False),
    }
    tensors = {name: np.ascontiguousarray(one) for name, one in checkpoint.tensors.items()}
    write_whole(path, to_bytes(tensors, metadata))


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write *data* to *path* such that a reader finds the old file or the new one.

    Raises InputError, the old file untouched, if the disk is full or the folder is not writable.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as out:
            temporary = Path(out.name)
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot be written: {reason}", source=os.fspath(path)) from error


def load(name: str | os.PathLike[str], *, family: str | None = None) -> Checkpoint:
    """Weights by the name they are shipped under, or from a file.

    A text without a folder and without the suffix is a name. family: what they must be for.

    Raises
    ------
    InputError
        If there is no such file, it is no file of weights, or it is for another family;
        ``UnknownNameError``, with near misses, for a name that is not shipped.
    """
    text = os.fspath(name)
    checkpoint = _read(_path(text), text)
    if family is not None and checkpoint.family != family:
        raise InputError(
            f"these weights are for the family {checkpoint.family}, not for {family}", source=text
        )
    return checkpoint


def digest(name: str | os.PathLike[str]) -> str:
    """SHA-256 of the file of weights that ``load`` would read; raises as it does."""
    text = os.fspath(name)
    path = _path(text)
    if not path.is_file():
        raise InputError("there is no such file of weights", source=text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _path(text: str) -> Path:
    path = Path(text)
    if os.sep in text or path.suffix == SUFFIX:
        return path
    if text not in _names():
        raise UnknownNameError.of("weights", text, _names())
    return _FOLDER / f"{text}{SUFFIX}"


def _read(path: Path, text: str) -> Checkpoint:
    if not path.is_file():
        raise InputError("there is no such file of weights", source=text)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise InputError(f"not a safetensors file: {error}", source=text) from error
    try:
        about, config, card = (json.loads(metadata[key]) for key in ("about", "config", "card"))
        layout, kind, family = about["layout"], about["kind"], about["family"]
    except (KeyError, TypeError, ValueError):
        raise InputError("a safetensors file, but not one of cpsched", source=text) from None
    if layout != _LAYOUT:
        raise InputError(f"layout {layout!r} is not known, only {_LAYOUT}", source=text)
    try:
        return Checkpoint(kind, family, config, tensors, card)
    except InputError as error:
        raise error.at(text) from None


def shipped() -> dict[str, str]:
    """Names of the weights that come with the package, with one line each."""
    return {name: _line(name) for name in _names()}


@cache
def _names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in _FOLDER.glob(f"*{SUFFIX}")))


@cache
def _line(name: str) -> str:
    found = _read(_FOLDER / f"{name}{SUFFIX}", name)
    return f"{found.family}: {found.card.get('title', KINDS[found.kind])}"
