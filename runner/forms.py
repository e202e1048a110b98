"""Forms in which another tool's line writes a value: JSON that may lie in a file, files that may be base64, dates.

Each form turns a text into a value or into a file. Nothing is evaluated.
"""

from __future__ import annotations

import binascii
import json
import os
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any, Protocol

from .encoding import File
from .errors import CallError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_ESCAPE = re.compile(r"\\(\\[nrfv]|[nrfv])")
_PLAIN = re.compile(r"\s*[^\s{\[\"\d-]")
_MEANT = {"n": "\n", "r": "\r", "f": "\f", "v": "\v"}


class Sources(Protocol):
    """Where `@file`, `@https://…` and `-` are read from."""

    def file(self, path: str) -> File:
        """A file of the disk."""
        ...

    def address(self, url: str) -> File:
        """What stands at a web address."""
        ...

    def stdin(self) -> bytes:
        """All of standard input."""
        ...


def decoded(file: File) -> str:
    """The text of a file, without the mark that some editors put before it. Raises CallError where it is not UTF-8."""
    try:
        return file.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CallError(f"the file {file.name} is not UTF-8 text") from None


def parsed(text: str, what: str, *, path: bool = False) -> Any:
    """JSON text as data; single quotes are taken too. Raises CallError with line and column.

    `path` says that it might have been the path of a file, of which there is none.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        if "'" in text and text.strip()[:1] in {"{", "["}:
            from . import document
            from .errors import SpecError

            try:
                return document.load(text)
            except SpecError as unread:
                _, line, column = unread.where.rsplit(":", 2)
                place = f"line {line}, column {column}" if int(line) <= text.count("\n") + 1 else "its end"
                message = unread.message.removeprefix(f"{unread.where}: ")
                hint = "a single quote inside a text is written twice" if text.count("'") % 2 else ""
                raise CallError(
                    f"{what} is no JSON, with single quotes either: {message} at {place}", hint=hint
                ) from None
        if path and _PLAIN.match(text):
            raise CallError(
                f"{what} is no JSON, and no file: {text[:60]!r}", hint="check the path; JSON begins with { or ["
            ) from None
        spot = f"line {getattr(error, 'lineno', 1)}, column {getattr(error, 'colno', 1)}"
        raise CallError(f"{what} is no JSON: {getattr(error, 'msg', error)} at {spot}") from None
    except RecursionError:
        raise CallError(f"{what} is no JSON: it is nested too deeply") from None


def escaped(text: str) -> str:
    r"""The text with \n, \r, \f and \v made what they mean; \\n stays \n. JSON and paths of files stay as they are."""
    if text.lstrip()[:1] in {"{", "["} or os.path.isfile(text):
        return text
    return _ESCAPE.sub(lambda found: _MEANT.get(found[1], found[1]), text)


def content(text: str, sources: Sources) -> str:
    """The text itself, or what stands in the file or at the address that it names."""
    if text == "-":
        return decoded(File("stdin", sources.stdin()))
    place = text.removeprefix("@")
    if place.lower().startswith(("http://", "https://")):
        return decoded(sources.address(place))
    if place != text or os.path.isfile(text):
        return decoded(sources.file(place))
    return text


def file(text: str, sources: Sources) -> File:
    """The file that a path, an address or base64 text gives. Raises CallError where it is none of them."""
    if text == "-":
        return File("stdin", sources.stdin())
    place = text.removeprefix("@")
    if place.lower().startswith(("http://", "https://")):
        return sources.address(place)
    if place != text or os.path.isfile(place):
        return sources.file(place)
    try:
        found = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found:
        raise CallError(f"{text[:60]!r} is no file, no address and no base64", hint="check the path")
    return File("file", found)


def files(text: str, sources: Sources) -> list[File]:
    """The files of a JSON object from name to path, address or base64."""
    data = parsed(content(text, sources), "the list of files")
    if not isinstance(data, dict):
        raise CallError("files are an object of name and file", hint="write {'name.txt': 'path'}")
    return [File(str(name), file(str(one), sources).content) for name, one in data.items()]


def day(text: str) -> str:
    """The day of an ISO 8601 text: 2026-05-01T10:00:00 is 2026-05-01."""
    return _moment(text).date().isoformat()


def time(text: str) -> str:
    """An ISO 8601 text as a day and a time; its zone stays where it has one."""
    return _moment(text).isoformat(timespec="seconds")


def zoned(text: str) -> str:
    """An ISO 8601 text as a day and a time with a zone, UTC where it has none."""
    found = time(text)
    return found if _moment(text).tzinfo else f"{found}Z"


def _moment(text: str) -> datetime:
    from datetime import date, datetime

    try:
        if len(text) == len("2026-05-01"):
            return datetime.combine(date.fromisoformat(text), datetime.min.time())
        return datetime.fromisoformat(text)
    except ValueError:
        raise CallError(f"{text!r} is no date", hint="ISO 8601 is 2026-05-01 or 2026-05-01T10:00:00+02:00") from None


DATES: dict[str, Callable[[str], str]] = {"date": day, "time": time, "zoned": zoned}
