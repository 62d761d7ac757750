"""From an instance to text or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from cpsched.errors import InputError
from cpsched.instances import files
from cpsched.instances.formats import check_format, fjs, jsplib, native, taillard
from cpsched.instances.reading import MAX_BYTES

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from cpsched.jobshop.instance import JobShop

_WRITERS: Final[dict[str, Callable[[JobShop], str]]] = {
    "jsplib": jsplib.dumps,
    "taillard": taillard.dumps,
    "fjs": fjs.dumps,
    "json": native.dumps,
}


def dumps(instance: JobShop, output_format: str) -> str:
    """Text of *instance* in one of ``FORMATS``.

    Raises
    ------
    InputError
        If the format cannot express the instance, or the text is longer than ``read`` allows.
    """
    check_format(output_format, "output format")
    content = _WRITERS[output_format](instance)
    if len(content) > MAX_BYTES:
        raise InputError(
            f"{instance.name} has {instance.num_ops} operations and would take {len(content)} "
            f"bytes in the format {output_format}; at most {MAX_BYTES} bytes can be read back"
        )
    return content


def write(instance: JobShop, path: str | os.PathLike[str], output_format: str) -> None:
    """Write *instance* to a file in one of ``FORMATS``.

    Raises
    ------
    InputError
        As ``dumps``, in which case the file is not touched, or if the file cannot be written.
    """
    content = dumps(instance, output_format)
    try:
        Path(path).write_bytes(content.encode())
    except OSError as error:
        reason = f"cannot be written: {error.strerror or error}"
        raise InputError(reason, source=files.display(path)) from None
