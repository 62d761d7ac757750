"""From files to API objects: JSON or YAML, lists, several documents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cpsched.errors import InputError
from cpsched.instances import files
from cpsched.instances.formats.native import describe
from cpsched.instances.kubernetes import fields, json_values, yaml_values

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes a snapshot may have; 5,000 nodes and 50,000 pods have some 350 MB.
MAX_BYTES: Final = 2**30

_FIRST = re.compile(rb"\S")
_KEYS = "apiVersion|kind|items|metadata|spec|status"
_JSON = re.compile(rf'\s*\{{\s*"(?:{_KEYS})"\s*:')
_YAML = re.compile(rf"(?:[ \t\r]*(?:(?:#|---|%)[^\n]*)?\n)*(?:---[ \t]+)?(?:{_KEYS})\s*:(?:\s|$)")

#: Kinds that are read, with their API group.
GROUPS: Final = {
    "Node": "",
    "Pod": "",
    "Namespace": "",
    "ConfigMap": "",
    "PodDisruptionBudget": "policy",
    "PriorityClass": "scheduling.k8s.io",
}


@dataclass(frozen=True, slots=True)
class ApiObject:
    """One object: its kind, its fields, and where it stands, for errors."""

    kind: str
    body: dict[str, Any]
    source: str
    path: str


def is_snapshot(text: str) -> bool:
    """Whether *text* (its first kilobytes do) looks like what kubectl prints, JSON or YAML.

    The first key tells: no format of cpsched's own begins with one of an API object.
    """
    # UTF-16, taken for UTF-8 with replacements, is ASCII with zeros between.
    head = text[:65536].replace("\0", "").lstrip("\ufeff\ufffd")
    return bool(_JSON.match(head) or _YAML.match(head))


def api_objects(data: bytes, source: str) -> Iterator[ApiObject]:
    """Objects of one file that are read here; those of other kinds are passed over.

    Raises
    ------
    InputError
        With source and line or JSON path of what cannot be read.
    """
    try:
        yield from _api_objects(_utf8(data), source)
    except InputError as error:
        raise error.at(source) from None


def _api_objects(data: bytes, source: str) -> Iterator[ApiObject]:
    if len(data) > MAX_BYTES:
        raise files.too_large(len(data), MAX_BYTES)
    first = _FIRST.search(data)
    if first is None:
        raise InputError("the file is empty")
    if first.group() in (b"{", b"["):
        for path, value, list_kind in json_values.objects(data):
            yield from _unpack(value, path, list_kind, source)
        return
    for at, value in enumerate(yaml_values.documents(data)):
        where = source if at == 0 else f"{source} (document {at + 1})"
        try:
            yield from _unpack(value, "$", "", where)
        except InputError as error:
            raise error.at(where) from None


def _utf8(data: bytes) -> bytes:
    """*data* as UTF-8: some shells redirect what kubectl prints as UTF-16."""
    if data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        return data[3:] if data.startswith(b"\xef\xbb\xbf") else data
    try:
        return data.decode("utf-16").encode("utf-8")
    except UnicodeError:
        raise InputError("not UTF-8 text, and not UTF-16 text either") from None


def _unpack(value: Any, path: str, list_kind: str, source: str) -> Iterator[ApiObject]:
    """The object *value*, or if it is a list the objects in it."""
    if not isinstance(value, dict):
        raise InputError(f"an API object must be an object, not {describe(value)}", path=path)
    kind = value.get("kind")
    if kind is None and list_kind.endswith("List") and list_kind != "List":
        kind = list_kind[: -len("List")]
    version = value.get("apiVersion")
    if not isinstance(kind, str) or not kind:
        raise InputError(
            f"the kind of an API object must be text, not {describe(kind)}", path=f"{path}.kind"
        )
    version = fields.string(version, f"{path}.apiVersion")
    if kind.endswith("List"):
        for at, item in enumerate(fields.sequence(value.get("items"), f"{path}.items")):
            yield from _unpack(item, f"{path}.items[{at}]", kind, source)
        return
    group, slash, _ = version.rpartition("/")
    # A kind of another group may have the same name: it is not ours.
    if kind in GROUPS and (not version or (group if slash else "") == GROUPS[kind]):
        yield ApiObject(kind, value, source, path)
