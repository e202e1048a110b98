"""Words of a command line → values, as the method's schema says. A library's values never pass here."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from . import encoding, forms
from .encoding import File
from .errors import CallError, Problem
from .forms import decoded, parsed
from .node import child, is_map, resolved
from .spec import folded
from .validation import fault_of_content

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .forms import Sources
    from .spec import Method, Param

Json = dict[str, Any]
TRUE = frozenset({"true", "yes", "y", "on", "1", "да", "истина"})
FALSE = frozenset({"false", "no", "n", "off", "0", "нет", "ложь"})
_STEP = r"\[[^\]]*\]|\.[!<>=@%?~]*[^!<>%?~.=:@\[\]\s][^.=:@\[\]\s]*"
_WORD = re.compile(rf"(?P<path>[A-Za-z_][\w-]*(?:{_STEP})*)(?P<sign>:=|=|@)(?P<text>.*)", re.DOTALL)
_WHOLE, _NUMBER = re.compile(r"[+-]?\d{1,400}"), re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


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
        self.names: dict[str, str] = {}
        self.problems: list[Problem] = []
        self._defs: Mapping[str, Any] = method.schema.get("$defs", {})

    def whole(self, text: str) -> None:
        """Take the whole input: JSON text, `@file`, `-`, or the path or the address of a JSON file."""
        data = parsed(forms.content(text, self.sources), "the input", path=True)
        if not isinstance(data, dict):
            raise CallError(f"the input must be a JSON object, not {type(data).__name__}")
        self.values.update(data)

    def take(self, path: list[str], sign: str, text: str) -> None:
        """Take one value; what does not fit is kept among the problems, so that all are told at once.

        `sign` is that of the word, or the form in which another tool writes the value.
        """
        name = self.method.canonical(path[0])
        spelt = next((one for one in self.values if self.method.canonical(one) == name), name)
        path = [spelt, *path[1:]]
        node = self._node(path)
        try:
            if sign == ":=":
                value = parsed(self._text(text), ".".join(path))
            elif sign == "@":
                value = self._of_file(self._opened(f"@{text}"), node, name)
            elif sign != "=":
                value = self._formed(sign, text, path, node)
            else:
                value = self._value(text, node, name)
            _demand_text(value)
            self._set(path, value, node)
        except CallError as error:
            self.problems.append(Problem("error", ".".join(path), error.message, error.hint))

    def preset(self, path: list[str], value: Any) -> None:
        """Put a value where the line gave none."""
        here: Any = self.values
        for step in path:
            named = {self.method.canonical(one): one for one in here} if here is self.values else {}
            step = named.get(self.method.canonical(step), step) if named else step  # noqa: PLW2901
            if not isinstance(here, dict) or step not in here:
                self.take(path, ":=", json.dumps(value))
                return
            here = here[step]

    def suit(self) -> None:
        """Make texts within JSON the numbers and the lists that the schema wants: another tool sends all as text."""
        for name, value in self.values.items():
            self.values[name] = self._suited(value, self._node([name]))

    def _suited(self, value: Any, node: Any) -> Any:
        block = resolved(node, self._defs)
        if isinstance(value, dict):
            return {key: self._suited(item, child(block, str(key), self._defs)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._suited(item, block.get("items", {})) for item in value]
        if not isinstance(value, str) or not types_of(block, self._defs) or "string" in types_of(block, self._defs):
            return value
        try:
            return typed(value, block, self._defs, self.method.service.encoders)
        except CallError:
            return value

    def _formed(self, form: str, text: str, path: list[str], node: Any) -> Any:
        """A value in the form of another tool."""
        if form == "json":
            return parsed(forms.content(text, self.sources), "the value", path=True)
        if form == "file":
            found = forms.file(text, self.sources)
            return self._of_file(File(self.names.get(".".join(path), found.name), found.content), node, path[0])
        if form == "files":
            return [self._of_file(one, self._item(node), path[0]) for one in forms.files(text, self.sources)]
        if form in forms.DATES:
            return forms.DATES[form](text) if text else text
        if form == "list" and text:
            text = forms.content(text, self.sources)
            if text.lstrip().startswith("["):
                return parsed(text, "the value")
        plain = forms.escaped(text) if form == "escaped" else text
        return typed(plain, node, self._defs, self.method.service.encoders)

    def _item(self, node: Any) -> Any:
        """The schema of a list's items, where the node is a list or may be one."""
        block = resolved(node, self._defs)
        parts = [block, *(resolved(part, self._defs) for part in block.get("anyOf", ()))]
        return next((part["items"] for part in parts if "items" in part), {})

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


def _demand_text(value: Any) -> None:
    """Raise CallError for a word of the command line that was not UTF-8."""
    try:
        value.encode() if isinstance(value, str) else None
    except UnicodeEncodeError:
        raise CallError("is not UTF-8 text") from None


def chosen(text: str, values: Json) -> str:
    """The text itself, or as JSON the value that a dialect has for this word."""
    if not values:
        return text
    word = "true" if text.lower() in TRUE else "false" if text.lower() in FALSE else text
    if word not in values:
        raise CallError(f"{text!r} is none of {', '.join(values)}")
    return json.dumps(values[word])


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
