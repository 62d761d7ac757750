"""YAML documents as JSON values: no aliases, no tags, no repeated keys, bounded depth.

Built from the events of libyaml's parser without recursion. Plain scalars mean what they mean to
the API server (YAML 1.1 booleans included); timestamps stay text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes of YAML: it is read a hundred times slower than JSON.
MAX_YAML_BYTES: Final = 64 * 2**20

_DEPTH = 100
_WORDS: Final[dict[str, bool | None]] = {
    "": None,
    **dict.fromkeys(("~", "null", "Null", "NULL"), None),
    **{
        form: truth
        for truth, words in ((True, "y yes true on"), (False, "n no false off"))
        for word in words.split()
        for form in (word, word.capitalize(), word.upper())
    },
}
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,99})")
_FLOAT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")


def documents(data: bytes) -> Iterator[Any]:
    """Value of each document of *data* that is not empty.

    Raises
    ------
    InputError
        With its line for anything that is not YAML of this kind.
    """
    if len(data) > MAX_YAML_BYTES:
        raise InputError(
            f"{len(data)} bytes of YAML, more than the {MAX_YAML_BYTES} that are read; "
            "ask kubectl for -o json"
        )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        builder = _Builder()
        for event in yaml.parse(data, Loader=loader):
            builder.take(event)
            if isinstance(event, yaml.DocumentEndEvent) and builder.value is not None:
                yield builder.value
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InputError(
            f"not YAML: {error.problem or error.context}", line=mark.line + 1 if mark else None
        ) from None
    except yaml.YAMLError as error:
        reason = str(error).splitlines()
        raise InputError(f"not YAML: {reason[0] if reason else 'unreadable'}") from None


class _Builder:
    """The value of a document, from its events."""

    def __init__(self) -> None:
        self.value: Any = None
        self._open: list[dict[str, Any] | list[Any]] = []
        self._keys: list[str | None] = []

    def take(self, event: yaml.Event) -> None:
        """Go on by one event."""
        if isinstance(event, yaml.ScalarEvent):
            self._add(_key_or_value(event, self._wants_key()), event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._start({}, event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._start([], event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()
            self._keys.pop()
        elif isinstance(event, yaml.AliasEvent):
            raise _error("aliases (*name) are not read", event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.value = None

    def _wants_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1], dict) and self._keys[-1] is None

    def _start(self, container: dict[str, Any] | list[Any], event: yaml.Event) -> None:
        if event.tag is not None:
            raise _error("tags (!name) are not read", event)
        if self._wants_key():
            raise _error("a key must be text", event)
        if len(self._open) >= _DEPTH:
            raise _error("nested too deep", event)
        self._add(container, event)
        self._open.append(container)
        self._keys.append(None)

    def _add(self, value: Any, event: yaml.Event) -> None:
        if not self._open:
            self.value = value
            return
        container = self._open[-1]
        if isinstance(container, list):
            container.append(value)
            return
        key = self._keys[-1]
        if key is not None:
            container[key] = value
            self._keys[-1] = None
        elif value in container:
            raise _error(f"the key {value[:40]!a} occurs twice", event)
        else:
            # Reserved until its value comes: a later equal key is found to be a repetition.
            container[value] = None
            self._keys[-1] = value


def _key_or_value(event: yaml.ScalarEvent, is_key: bool) -> Any:
    if event.tag is not None and event.tag != "!":
        raise _error("tags (!name) are not read", event)
    text = event.value
    if is_key or not event.implicit[0]:
        if text == "<<" and event.implicit[0]:
            raise _error("merge keys (<<) are not read", event)
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    # With a leading zero it is octal to some readers and text to others: left as text.
    if _FLOAT.fullmatch(text) and not re.fullmatch(r"[+-]?0[0-9]+", text):
        return float(text)
    return text


def _error(reason: str, event: yaml.Event) -> InputError:
    return InputError(reason, line=event.start_mark.line + 1)
