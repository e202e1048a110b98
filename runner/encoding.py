"""Values as they are written: encoders of the service, files, queries, forms, multipart bodies."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike, fspath
from os.path import basename
from types import NoneType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import template
from .errors import CallError, Problem
from .node import alternatives, child, is_map
from .validation import fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Json = dict[str, Any]
MOST_DEEP = 100
_WORDS = {True: "true", False: "false", None: ""}
_PHP = {True: "1", False: "0", None: ""}
_SCALAR = (str, int, float, NoneType)
_PLAIN = re.compile(r"[\w.~-]*", re.ASCII)  # what an address takes as it is
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class File:
    """A file to send: its name without folders, its content."""

    name: str
    content: bytes

    @property
    def base64(self) -> str:
        """The content as base64 text."""
        return base64.b64encode(self.content).decode()

    @property
    def type(self) -> str:
        """The media type that the name tells."""
        from mimetypes import guess_type

        return guess_type(self.name)[0] or "application/octet-stream"


def file_of(value: Any) -> File | None:
    """The file that a library's caller means by a path or by bytes; None for any other value."""
    if isinstance(value, File):
        return value
    if isinstance(value, bytes):
        return File("file", value)
    if isinstance(value, PathLike):
        return read_file(value)
    return None


def read_file(path: str | PathLike[str]) -> File:
    """A file from the disk. Raises CallError with the reason where it can't be read, or is empty."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        message = f"can't read {fspath(path)}: {(error.strerror or str(error)).lower()}"
        raise CallError(message, hint="check the path and the permissions") from None
    if not content:
        message = f"the file {fspath(path)} is empty"
        raise CallError(message)
    return File(basename(path), content)


def fault_of_json(value: Any, path: str = "", depth: int = 0) -> Problem | None:
    """What in a value is beyond JSON before any schema is asked: keys that are no text, endless depth."""
    if depth > MOST_DEEP:
        return Problem("error", path.split(".", maxsplit=1)[0], f"is nested deeper than {MOST_DEEP} levels")
    if isinstance(value, _SCALAR):
        return None
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                return Problem("error", path, f"has the key {key!r}, which is no text", "keys of objects are text")
            fault = fault_of_json(item, f"{path}.{key}" if path else key, depth + 1)
            if fault:
                return fault
    elif isinstance(value, list):
        for item in value:
            fault = fault_of_json(item, path, depth + 1)
            if fault:
                return fault
    return None


def absorbed(value: Any, node: Any, defs: Mapping[str, Any], encoders: Mapping[str, Any]) -> Any:
    """The value with each file in it as the schema wants files: base64 text, the encoder's shape, or as it is."""
    if isinstance(value, _SCALAR):
        return value
    if isinstance(value, dict):
        return {key: absorbed(item, child(node, str(key), defs), defs, encoders) for key, item in value.items()}
    if isinstance(value, list):
        items = next((part["items"] for part in alternatives(node, defs) if "items" in part), None)
        return [absorbed(item, items, defs, encoders) for item in value]
    file = file_of(value)
    if file is None:
        return value
    for block in alternatives(node, defs):
        shape = encoders.get(block.get("encode", ""))
        if shape is not None and not is_map(shape):
            return shaped(file, shape)
        if block.get("contentEncoding") == "base64":
            return file.base64
    return file


def shaped(file: File, shape: Any) -> Any:
    """A file in an encoder's shape."""
    return template.filled(shape, {"name": file.name, "base64": file.base64, "type": file.type})


def encoded(value: Any, node: Any, defs: Mapping[str, Any], encoders: Mapping[str, Any]) -> Any:
    """A value as its node's encoders write it, at every depth."""
    block = _meant(value, node, defs)
    name = block.get("encode", "")
    if name == "json":
        return json_text(value).decode()
    if name == "comma":
        return ",".join(map(text_of, value)) if isinstance(value, list) else value
    coder: Any = encoders.get(name)
    if is_map(coder):
        return coder.get(text_of(value), value) if isinstance(value, (str, bool, int)) else value
    if isinstance(value, dict):
        return {key: encoded(item, child(block, str(key), defs), defs, encoders) for key, item in value.items()}
    if isinstance(value, list):
        return [encoded(item, block.get("items"), defs, encoders) for item in value]
    return value


def _meant(value: Any, node: Any, defs: Mapping[str, Any]) -> Json:
    """The node that says how a value is written: of alternatives the first with a word on it that the value fits."""
    whole, *parts = alternatives(node, defs)
    if _says(whole, value):
        return whole
    fitting = (part for part in parts if _says(part, value) and fits(value, {"allOf": [part], "$defs": defs}))
    return next(fitting, whole)


def _says(block: Json, value: Any) -> bool:
    """Whether a node says how such a value is written, or how its items are."""
    return "encode" in block or (isinstance(value, list) and "items" in block)


def text_of(value: Any) -> str:
    """A value as text: booleans as JSON writes them, nothing for null, lists and objects as JSON."""
    if isinstance(value, (dict, list)):
        return json_text(value).decode()
    return _WORDS[value] if value is None or isinstance(value, bool) else str(value)


def pairs(name: str, value: Any, nested: str) -> Iterator[tuple[str, str]]:
    """A value as the pairs of a query or a form, in a named style.

    `brackets` is a[b][0]=1 with booleans as 1 and 0, and a[]= for an empty list; `repeat` is a=1&a=2; `comma` is
    a=1,2; `json` is JSON text. Objects in the last three are JSON text.
    """
    if nested == "brackets":
        yield from _brackets(name, value)
    elif isinstance(value, list) and nested == "repeat":
        for item in value:
            yield from pairs(name, item, "json")
    elif isinstance(value, list) and nested == "comma":
        yield name, ",".join(map(text_of, value))
    else:
        yield name, text_of(value)


def _brackets(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _brackets(f"{name}[{key}]", item)
    elif isinstance(value, list) and value:
        for place, item in enumerate(value):
            yield from _brackets(f"{name}[{place}]", item)
    elif isinstance(value, (dict, list)):
        yield f"{name}[]", ""
    else:
        yield name, _PHP[value] if value is None or isinstance(value, bool) else str(value)


def urlencoded(items: Iterable[tuple[str, str]]) -> str:
    """Pairs as a query or a form. Brackets in names stay readable, and so do references in values."""
    return "&".join([f"{_name(name)}={_value(value)}" for name, value in items])


@lru_cache(maxsize=1024)
def _name(name: str) -> str:
    return quote(whole(name), safe="[]*")


def _value(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quote(whole(text), safe="*$[]")


def whole(text: str) -> str:
    """A text with U+FFFD in the place of each half of a letter, as browsers write it; any other as it is."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def multipart(parts: Iterable[tuple[str, Any]]) -> tuple[str, bytes]:
    """The content type and the body of a form with files. A part is text, or a File."""
    from uuid import uuid4

    boundary = uuid4().hex
    chunks = []
    for name, value in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"'
        if isinstance(value, File):
            head += f'; filename="{_quoted(value.name)}"\r\nContent-Type: {value.type}'
        content = value.content if isinstance(value, File) else whole(str(value)).encode()
        chunks.append(head.encode() + b"\r\n\r\n" + content + b"\r\n")
    return f"multipart/form-data; boundary={boundary}", b"".join(chunks) + f"--{boundary}--\r\n".encode()


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def json_text(value: Any) -> bytes:
    """A value as JSON. Raises CallError where it holds what JSON can't say."""
    try:
        try:
            return _JSON.encode(value).encode()
        except UnicodeEncodeError:
            return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        message = f"the input can't be written as JSON: {error}"
        raise CallError(message, hint="give text, numbers, true, false, null, lists and objects") from None
