"""Compiled kernels: numba functions with explicit types, no GIL, and a cache that cannot be stale.

numba caches a function by the age of its own file, although the code of the functions it calls is
compiled into it: after an update that touches only the callee it would go on with the old
one. Here the folder of the cache is named after the content of every module that has kernels.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import njit, types
from numba.extending import intrinsic

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_PACKAGE = Path(__file__).resolve().parent
_compiled: list[Any] = []


def kernel(signature: Any, *, parallel: bool = False) -> Callable[[FunctionT], FunctionT]:
    """Compile a function for one signature, or load it from the cache, when it is defined."""

    def compile_it(function: FunctionT) -> FunctionT:
        before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
        numba.config.CACHE_DIR = str(cache_folder())  # type: ignore[attr-defined]
        try:
            compiled = njit(signature, cache=True, nogil=True, parallel=parallel)(function)
        finally:
            numba.config.CACHE_DIR = before  # type: ignore[attr-defined]
        _compiled.append(compiled)
        return compiled  # type: ignore[no-any-return]

    return compile_it


def part(signature: Any) -> Callable[[FunctionT], FunctionT]:
    """Declare a function that only kernels call: compiled into them, when they are.

    It costs nothing to import where the kernels come from the cache. (A signature that is given to
    numba is compiled at once; without one it would compile anew for every mix of argument types.)
    """

    def declare(function: FunctionT) -> FunctionT:
        dispatcher: Any = njit(nogil=True)(function)
        find = dispatcher.get_call_template

        def compile_then_find(arguments: Any, keywords: Any) -> Any:
            if not dispatcher.overloads:
                dispatcher.compile(signature)
                dispatcher.disable_compile()
            return find(arguments, keywords)

        dispatcher.get_call_template = compile_then_find
        return dispatcher  # type: ignore[no-any-return]

    return declare


@intrinsic
def _pointer(_context: Any, array: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, values[0]).data

    return types.CPointer(array.dtype)(array), code


#: Address of a contiguous array's first entry, for kernels to hand to each other. An array is
#: seven words, counted references and a test for negative indices: where kernels of a few
#: instructions call each other, passing arrays took four fifths of the time.
pointer: Any = _pointer


def compiled_now() -> bool:
    """Whether this process compiled a kernel instead of loading all from the cache."""
    return any(sum(function.stats.cache_misses.values()) > 0 for function in _compiled)


@cache
def cache_folder() -> Path:
    """Folder of the compiled kernels: beside the sources, or the user's if that is read-only."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        source = path.read_bytes()
        if b"@kernel(" in source or b"@part(" in source:
            digest.update(str(path.relative_to(_PACKAGE)).encode() + b"\0" + source + b"\0")
    name = f"kernels-{digest.hexdigest()[:16]}"
    for parent in _parents():
        folder = parent / name
        if folder.is_dir() and os.access(folder, os.W_OK):
            return folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        for other in parent.glob("kernels-*"):
            # Another version may be at work just now; not one of last week's.
            if other.stat().st_mtime < time.time() - 7 * 86_400:
                shutil.rmtree(other, ignore_errors=True)
        return folder
    return Path(tempfile.mkdtemp(prefix="cpsched-kernels-"))


def _parents() -> list[Path]:
    user = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return [_PACKAGE / "__pycache__", Path(user) / "cpsched"]


def compile_all() -> None:
    """Load every kernel of the package, compiling those that are not in the cache."""
    for path in sorted(_PACKAGE.rglob("*.py")):
        if b"@kernel(" in path.read_bytes() and path != Path(__file__).resolve():
            parts = path.relative_to(_PACKAGE).with_suffix("").parts
            importlib.import_module(".".join(("cpsched", *parts)))
