"""Words of a command line → values, as the method's schema says. A library's values never pass here."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, Protocol

from . import encoding
from .encoding import File
from .errors import CallError, Problem
from .node import child, is_map, resolved
from .spec import folded
from .validation import fault_of_content

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .spec import Method, Param

Json = dict[str, Any]
TRUE = frozenset({"true", "yes", "y", "on", "1", "да"})
FALSE = frozenset({"false", "no", "n", "off", "0", "нет"})
_STEP = r"\[[^\]]*\]|\.[!<>=@%?~]*[^!<>%?~.=:@\[\]\s][^.=:@\[\]\s]*"
_WORD = re.compile(rf"(?P<path>[A-Za-z_][\w-]*(?:{_STEP})*)(?P<sign>:=|=|@)(?P<text>.*)", re.DOTALL)
_WHOLE, _NUMBER = re.compile(r"[+-]?\d{1,400}"), re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


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


def split(word: str) -> tuple[list[str], str, str] | None:
    """The path, the sign and the text of `name.key=value`, `name:=json` or `name@file`; None for any other word."""
    found = _WORD.fullmatch(word)
    return (steps(found["path"]), found["sign"], found["text"]) if found else None


def steps(path: str) -> list[str]:
    """The steps of `filter.>ID`, or of `filter[>ID]`."""
    return [step for step in re.split(r"[.\[\]]+", path) if step]


def by_flag(method: Method, flag: str) -> Param | None:
    """The param of a flag: its own, or its name in any letter case and with any separators."""
    for param in method.params.values():
        if flag in param.flags:
            return param
    if not flag.startswith("--"):
        return None
    wanted = folded(flag)
    return next((param for param in method.params.values() if folded(param.name) == wanted), None)


class Reader:
    """Reads the words of one call into its values."""

    def __init__(self, method: Method, sources: Sources) -> None:
        self.method, self.sources = method, sources
        self.values: Json = {}
        self.problems: list[Problem] = []
        self._defs: Mapping[str, Any] = method.schema.get("$defs", {})

    def whole(self, text: str) -> None:
        """Take the whole input: JSON text, `@file`, `-`, or the path of a JSON file."""
        if text == "-" or text.startswith("@"):
            text = decoded(self._opened(text))
        elif not text.lstrip().startswith(("{", "[")) and os.path.isfile(text):
            text = decoded(self.sources.file(text))
        data = parsed(text, "the input")
        if not isinstance(data, dict):
            raise CallError(f"the input must be a JSON object, not {type(data).__name__}")
        self.values.update(data)

    def take(self, path: list[str], sign: str, text: str) -> None:
        """Take one value; what does not fit is kept among the problems, so that all are told at once."""
        name = self.method.canonical(path[0])
        spelt = next((one for one in self.values if self.method.canonical(one) == name), name)
        path = [spelt, *path[1:]]
        node = self._node(path)
        try:
            if sign == ":=":
                value = parsed(self._text(text), ".".join(path))
            elif sign == "@":
                value = self._of_file(self._opened(f"@{text}"), node, name)
            else:
                value = self._value(text, node, name)
            _demand_text(value)
            self._set(path, value, node)
        except CallError as error:
            self.problems.append(Problem("error", ".".join(path), error.message, error.hint))

    def _text(self, text: str) -> str:
        """The text of a value that may be `@file` or `-`."""
        if text == "-" or (text.startswith("@") and not text.startswith("@@")):
            return decoded(self._opened(text))
        return text

    def _opened(self, text: str) -> File:
        if text == "-":
            return File("stdin", self.sources.stdin())
        place = text[1:]
        if place.lower().startswith(("http://", "https://")):
            return self.sources.address(place)
        return self.sources.file(place)

    def _value(self, text: str, node: Any, name: str) -> Any:
        if text.startswith("@@"):
            return typed(text[1:], node, self._defs, self.method.service.encoders)
        if text == "-":
            return self._of_file(self._opened(text), node, name)
        if text.startswith("@"):
            try:
                return self._of_file(self._opened(text), node, name)
            except CallError as error:
                hint = f"{error.hint}; " if error.hint else ""
                raise CallError(error.message, hint=f"{hint}a text that begins with @ is written @@") from None
        return typed(text, node, self._defs, self.method.service.encoders)

    def _of_file(self, file: File, node: Any, name: str) -> Any:
        """A file as the schema wants files: base64, an encoder's shape, as it is, JSON, or its text."""
        block = resolved(node, self._defs)
        shape = self.method.service.encoders.get(block.get("encode", ""))
        param = self.method.param(name)
        if block.get("contentEncoding") == "base64" or not (shape is None or is_map(shape)):
            message = fault_of_content(file.content, block.get("contentMediaType", ""))
            if message:
                raise CallError(message.replace("the file", f"the file {file.name}"))
            return encoding.absorbed(file, block, self._defs, self.method.service.encoders)
        if param is not None and param.place in {"part", "payload"}:
            return file
        text = decoded(file)
        kinds = types_of(block, self._defs)
        return text if "string" in kinds or not kinds else typed(text.strip(), node, self._defs, {})

    def _node(self, path: list[str]) -> Any:
        return node_at(self.method, path)

    def _set(self, path: list[str], value: Any, node: Any) -> None:
        """Put a value at its path; a list that is given again goes on, anything else given twice is an error."""
        here: Any = self.values
        for place, step in enumerate(path[:-1]):
            following = path[place + 1]
            empty: Any = (
                [] if following.isdigit() and "array" in types_of(self._node(path[: place + 1]), self._defs) else {}
            )
            here = _child(here, step, empty, path)
        last = path[-1]
        if isinstance(here, list):
            if _child(here, last, value, path) is not value:
                raise CallError("is given twice")
            return
        if not isinstance(here, dict):
            raise CallError(f"{'.'.join(path[:-1])} is no object that could hold {last}")
        old = here.get(last)
        if isinstance(old, list) and isinstance(value, list):
            here[last] = old + value
        elif last in here and old != value and "array" in types_of(resolved(node, self._defs), self._defs):
            here[last] = [*(old if isinstance(old, list) else [old]), value]
        elif last in here and old != value:
            raise CallError("is given twice")
        else:
            here[last] = value


def node_at(method: Method, path: Sequence[str]) -> Any:
    """The schema of what stands at a path of an input, or nothing where it is not known."""
    defs = method.schema.get("$defs", {})
    param = method.param(method.canonical(path[0]))
    node: Any = param.schema if param else {}
    for step in path[1:]:
        block = resolved(node, defs)
        node = block["items"] if step.isdigit() and "items" in block else child(block, step, defs)
    return node if isinstance(node, dict) else {}


def _child(here: Any, step: str, empty: Any, path: list[str]) -> Any:
    """The container at a step, made where there is none."""
    if isinstance(here, list):
        place = int(step) if step.isdigit() else -1
        if not 0 <= place <= len(here):
            raise CallError(f"{step} is no place in the list", hint="places count from 0, without gaps")
        if place == len(here):
            here.append(empty)
        return here[place]
    if not isinstance(here, dict):
        raise CallError(f"{'.'.join(path[: path.index(step)])} is no object that could hold {step}")
    return here.setdefault(step, empty)


def decoded(file: File) -> str:
    """The text of a file, without the mark that some editors put before it. Raises CallError where it is not UTF-8."""
    try:
        return file.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CallError(f"the file {file.name} is not UTF-8 text") from None


def _demand_text(value: Any) -> None:
    """Raise CallError for a word of the command line that was not UTF-8."""
    try:
        value.encode() if isinstance(value, str) else None
    except UnicodeEncodeError:
        raise CallError("is not UTF-8 text") from None


def parsed(text: str, what: str) -> Any:
    """JSON text as data; single quotes are taken too. Raises CallError with line and column."""
    try:
        return json.loads(text)
    except ValueError as error:
        if "'" in text and text.strip()[:1] in {"{", "["}:
            from . import document
            from .errors import SpecError

            try:
                return document.load(text)
            except SpecError:
                pass
        spot = f"line {getattr(error, 'lineno', 1)}, column {getattr(error, 'colno', 1)}"
        raise CallError(f"{what} is no JSON: {getattr(error, 'msg', error)} at {spot}") from None
    except RecursionError:
        raise CallError(f"{what} is no JSON: it is nested too deeply") from None


def types_of(node: Any, defs: Mapping[str, Any]) -> set[str]:
    """The JSON types that a node allows, as far as it says; nothing where anything goes."""
    block = resolved(node, defs)
    names = block.get("type", [])
    found = {names} if isinstance(names, str) else set(names)
    for word in ("anyOf", "oneOf"):
        for part in block.get(word, ()):
            found |= types_of(part, defs)
    if not found and "properties" in block:
        found = {"object"}
    return found


def _words(node: Any, defs: Mapping[str, Any]) -> list[Any]:
    """The known values of a node."""
    block = resolved(node, defs)
    found = list(block.get("enum", []))
    for word in ("anyOf", "oneOf"):
        for part in block.get(word, ()):
            found += _words(part, defs)
    return found


def known_values(node: Any, defs: Mapping[str, Any]) -> list[str]:
    """The known values of a node, or of the items of a list, as words."""
    block = resolved(node, defs)
    found = _words(block, defs) or _words(block.get("items", {}), defs)
    return [encoding.text_of(one) for one in found]


def typed(text: str, node: Any, defs: Mapping[str, Any], encoders: Mapping[str, Any]) -> Any:
    """The value that a text means to a node. A text that means nothing to it stays text, for the check to explain."""
    known = _words(node, defs)
    if known:
        return _known(text, known)
    kinds = types_of(node, defs)
    if text.lstrip()[:1] in {"[", "{"} and (kinds & {"array", "object"} or not kinds):
        data = _loose(text) if "string" in kinds or not kinds else parsed(text, "the value")
        if data is text:
            return text
        return [data] if "array" in kinds and "object" not in kinds and not isinstance(data, list) else data
    if "array" in kinds and "string" not in kinds:
        return _listed(text, node, defs, encoders)
    return _scalar(text, kinds)


def _loose(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _known(text: str, known: list[Any]) -> Any:
    """The known value that a word means: by letter, without letter case, as a number, as yes or no."""
    for one in known:
        if one == text:
            return one
    for one in known:
        if isinstance(one, str) and one.lower() == text.lower():
            return one
    if text.lower() in TRUE | FALSE and any(one is True for one in known):
        return text.lower() in TRUE
    if text == "null" and None in known:
        return None
    number = _scalar(text, {"number"})
    return next((one for one in known if one == number and isinstance(one, (int, float))), text)


def _listed(text: str, node: Any, defs: Mapping[str, Any], encoders: Mapping[str, Any]) -> list[Any]:
    """The items of a text with commas; a comma inside an item is written with a backslash before it."""
    if not text:
        return []
    block = resolved(node, defs)
    parts = [part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", text)]
    places = [*block.get("prefixItems", ()), *[block.get("items", {})] * len(parts)]
    return [typed(part, place, defs, encoders) for part, place in zip(parts, places, strict=False)]


def _scalar(text: str, kinds: set[str]) -> Any:
    if "string" in kinds or not kinds:
        plain = "integer" in kinds and _WHOLE.fullmatch(text) and str(int(text)) == text
        return int(text) if plain else text
    if kinds & {"integer", "number"} and _WHOLE.fullmatch(text):
        return int(text)
    if "number" in kinds and _NUMBER.fullmatch(text):
        return float(text)
    if "boolean" in kinds and text.lower() in TRUE | FALSE:
        return text.lower() in TRUE
    return None if "null" in kinds and text == "null" else text


def skeleton(method: Method) -> Json:
    """A structure with every param, to be filled: the service's defaults, and empty values that no check lets pass."""
    defs = method.schema.get("$defs", {})
    return {
        name: _shape(param.schema, defs, 0)
        for name, param in method.params.items()
        if not param.schema.get("deprecated") and not {"send", "generate"} & param.schema.keys()
    }


def _shape(node: Any, defs: Mapping[str, Any], depth: int) -> Any:
    block = resolved(node, defs)
    if "default" in block:
        return block["default"]
    kinds = types_of(block, defs)
    if "properties" in block and depth < 3:  # noqa: PLR2004 - deeper structures are seldom filled by hand
        return {name: _shape(child, defs, depth + 1) for name, child in block["properties"].items()}
    if "array" in kinds:
        inner = _shape(block.get("items", {}), defs, depth + 1)
        return [inner] if isinstance(inner, dict) and inner else []
    return next((empty for kind, empty in _EMPTY.items() if kind in kinds), "")


_EMPTY: Json = {"string": "", "integer": 0, "number": 0, "boolean": False, "object": {}}
