"""JSON texts of any size as a stream of API objects, one item of a list at a time.

A snapshot may have hundreds of megabytes; its items have some kilobytes each (the API server's
store takes 1.5 MB). So the text is decoded in windows, item by item, and what one item holds is
forgotten when the next one comes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW: Final = 8 * 2**20

_SPACE = re.compile(r"[ \t\n\r]*")


class _RepeatedKeyError(Exception):
    """An object has a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        count = Counter(key for key, _ in pairs)
        raise _RepeatedKeyError(next(key for key in count if count[key] > 1))
    return found


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)


def objects(data: bytes) -> Iterator[tuple[str, Any, str]]:
    """Each value of *data*, the items of a top-level object's ``items`` one by one.

    Yields ``(path, value, kind)``: its JSON path; the value; the kind of the list it is an item
    of, "" if unknown (yet) or not an item. The list itself comes last, without its items.

    Raises
    ------
    InputError
        With its line for anything that is not JSON.
    """
    window = _Window(data)
    while window.peek():
        if window.peek() != "{":
            yield "$", window.value(), ""
            continue
        window.expect("{", "{")
        head: dict[str, Any] = {}
        while window.peek() != "}":
            if head:
                window.expect(",", "',' or '}'")
            key = window.value()
            if not isinstance(key, str):
                raise window.error("a key must be text in double quotes")
            if key in head:
                raise window.error(f"the key {key[:40]!a} occurs twice")
            window.expect(":", "':'")
            head[key] = None
            if key != "items" or window.peek() != "[":
                head[key] = window.value()
                continue
            head[key] = []
            kind = head.get("kind")
            for at, item in enumerate(window.elements()):
                yield f"$.items[{at}]", item, kind if isinstance(kind, str) else ""
        window.expect("}", "'}'")
        yield "$", head, ""


class _Window:
    """A part of a text and a position in it."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        self._text = ""
        self._at = 0
        self._end = self._start
        self._fill()

    def _fill(self) -> bool:
        """Start the window at the position; False if it reaches no farther by that."""
        self._start += len(self._text[: self._at].encode("utf-8"))
        before = self._end
        end = min(len(self._data), self._start + WINDOW)
        while end < len(self._data) and self._data[end] & 0xC0 == 0x80:
            end -= 1  # not within a character
        self._end, self._at = end, 0
        try:
            self._text = str(self._data[self._start : end], "utf-8")
        except UnicodeDecodeError as error:
            at = self._start + error.start
            line = bytes(self._data[:at]).count(b"\n") + 1
            raise InputError(f"byte 0x{self._data[at]:02x} is not UTF-8 text", line=line) from None
        return end > before

    def error(self, reason: str, at: int | None = None) -> InputError:
        """Error at a position of the window, by default where it is."""
        text = self._text[: self._at if at is None else at]
        line = bytes(self._data[: self._start]).count(b"\n") + text.count("\n") + 1
        return InputError(reason, line=line)

    def peek(self) -> str:
        """Next character that is no white space, "" at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ""

    def expect(self, character: str, what: str) -> None:
        """Go past *character*."""
        found = self.peek()
        if found != character:
            reason = "the text ends too early" if not found else f"expected {what}"
            raise self.error(f"not JSON: {reason}")
        self._at += 1

    def value(self) -> Any:
        """Value at the position; go past it."""
        while True:
            self.peek()
            start = self._at
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except RecursionError:
                raise self.error("not usable JSON: nested too deep") from None
            except _RepeatedKeyError as error:
                key = str(error)[:40]
                raise self.error(f"the key {key!a} occurs twice in an object") from None
            except ValueError as error:
                if self._fill():
                    continue
                raise self._reason(error, start) from None
            # A number may go on behind the window.
            if end == len(self._text) and self._fill():
                continue
            self._at = end
            return value

    def _reason(self, error: ValueError, start: int) -> InputError:
        """Error for *error* in a window whose text began *start* characters earlier."""
        if self._end < len(self._data) and self._at == 0:
            return self.error(f"not usable JSON: a value of more than {WINDOW} bytes")
        if not isinstance(error, json.JSONDecodeError):
            digits = "digits" in str(error)
            return self.error(
                f"not usable JSON: {'an integer has too many digits' if digits else error}"
            )
        at = error.pos - start
        if at >= len(self._text) or error.msg.startswith("Unterminated string"):
            return self.error("not JSON: the text ends too early", at)
        return self.error(f"not JSON: {error.msg}", at)

    def elements(self) -> Iterator[Any]:
        """Elements of the list at the position; go past it."""
        self.expect("[", "'['")
        if self.peek() != "]":
            yield self.value()
            while self.peek() != "]":
                self.expect(",", "',' or ']'")
                yield self.value()
        self.expect("]", "']'")
