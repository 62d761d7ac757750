"""Instances by name: shipped or generated, as a file that every solver reads alike."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from cpsched.instances import generate, library

from .paths import WORKSHOP

if TYPE_CHECKING:
    from pathlib import Path

    from cpsched.jobshop.instance import JobShop

_GENERATED = re.compile(r"uniform-(\d+)x(\d+)-(\d+)")
_SET = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Shop:
    """An instance, its file in the standard format, and what is known of its optimum.

    digest: of the file, so that runs on another instance of the same name do not mix.
    """

    name: str
    instance: JobShop
    path: Path
    digest: str
    lower: int | None
    upper: int | None

    @property
    def size(self) -> str:
        """Jobs x machines."""
        return f"{self.instance.num_jobs}x{self.instance.num_machines}"


@cache
def shop(name: str) -> Shop:
    """The instance called *name*: shipped, or ``uniform-JOBSxMACHINES-SEED``."""
    generated = _GENERATED.fullmatch(name)
    if generated:
        jobs, machines, seed = map(int, generated.groups())
        instance, known = generate.uniform(jobs, machines, seed, name=name), None
    else:
        instance, known = library.load(name), library.best_known(name)
    text = _standard(instance)
    path = WORKSHOP / "instances" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    lower, upper = (known.lower, known.upper) if known else (None, None)
    return Shop(name, instance, path, digest, lower, upper)


def set_of(name: str) -> str:
    """Set that *name* belongs to: ta, dmu, … or uniform."""
    found = _SET.match(name)
    return found.group() if found else name


def _standard(instance: JobShop) -> str:
    lines = [f"{instance.num_jobs} {instance.num_machines}"]
    machine, duration = instance.machine.tolist(), instance.duration.tolist()
    bounds = instance.job_ptr.tolist()
    for begin, end in pairwise(bounds):
        lines.append(" ".join(f"{machine[op]} {duration[op]}" for op in range(begin, end)))
    return "\n".join(lines) + "\n"
