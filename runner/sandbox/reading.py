"""A request taken apart: query, headers, cookies and body → the values of a method's params, under their names."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from .. import encoding, precheck
from ..node import child, resolved
from .envelope import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..spec import Method

Json = dict[str, Any]
Pairs = list[tuple[str, str]]
_FORM, _PARTS = "application/x-www-form-urlencoded", "multipart/form-data"
_MOST_STEPS = 32  # brackets in one name
_BODY = frozenset(["body", "form", "part"])
_NAME = re.compile(r'[;\s]name="([^"]*)"')
_FILE = re.compile(r'[;\s]filename="([^"]*)"')
_STEP = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came, and the address that it came from. Header names are lower case."""

    verb: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    source: str = ""

    @property
    def path(self) -> str:
        """The address without its query, as it was sent."""
        return self.target.partition("?")[0]


@dataclass(slots=True)
class Content:
    """What a request holds, by where it stood. `fault` says what is wrong with the body."""

    query: Pairs
    headers: Mapping[str, str]
    cookies: dict[str, str]
    raw: bytes = b""
    form: Pairs | None = None
    data: Any = None
    fault: str = ""

    def held(self, place: str, name: str) -> str | None:
        """What stands under a name in a place, None where nothing does; the query stands in for a bare body."""
        if place in {"header", "cookie"}:
            return self.headers.get(name.lower()) if place == "header" else self.cookies.get(name)
        if place == "body" and isinstance(self.data, dict):
            return str(self.data[name]) if name in self.data else None
        flat = self.form if place == "body" and self.form is not None else self.query
        return next((value for key, value in flat if key == name), None)

    def take(self, place: str, name: str) -> str | None:
        """The same, taken out of its place."""
        found = self.held(place, name)
        if place == "cookie":
            self.cookies.pop(name, None)
        elif place == "body" and isinstance(self.data, dict):
            self.data.pop(name, None)
        elif place in {"body", "query"}:
            held = self.form if place == "body" and self.form is not None else self.query
            held[:] = [pair for pair in held if pair[0] != name]
        return found


def content(asked: Asked) -> Content:
    """A request taken apart. Nothing is raised: what can't be read is the content's fault."""
    found = Content(pairs(asked.target.partition("?")[2]), asked.headers, _cookies(asked), asked.body)
    try:
        _read(found, asked.headers.get("content-type", ""))
    except (ValueError, LookupError) as error:
        found.fault = f"the body can't be read: {error}"
    except RecursionError:
        found.fault = "the body is nested too deep"
    return found


def pairs(text: str) -> Pairs:
    """The pairs of a query or a form."""
    return parse_qsl(text, keep_blank_values=True)


def _cookies(asked: Asked) -> dict[str, str]:
    parts = (part.strip().partition("=") for part in asked.headers.get("cookie", "").split(";"))
    return {name: unquote(value) for name, _, value in parts if name}


def _read(found: Content, header: str) -> None:
    kind, _, options = header.partition(";")
    kind = kind.strip().lower()
    if not found.raw.strip():
        return
    if kind == _PARTS:
        found.form = list(_parts(found.raw, _option(options, "boundary")))
        return
    looks = found.raw.lstrip()[:1] in {b"{", b"["}
    if kind == "application/json" or kind.endswith("+json") or (not kind and looks):
        found.data = parsed(found.raw.decode(_option(options, "charset") or "utf-8-sig"))
    elif kind == _FORM or (not kind and b"=" in found.raw):
        found.form = pairs(found.raw.decode(_option(options, "charset") or "utf-8"))


def _option(text: str, name: str) -> str:
    found = re.search(rf'{name}\s*=\s*"?([^";\s]+)', text, re.IGNORECASE)
    return found[1] if found else ""


def parsed(text: str) -> Any:
    """A JSON value. Raises ValueError, also for numbers that JSON has no words for."""
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _json(text: str) -> Any:
    """The JSON that a text holds, else the text."""
    try:
        return parsed(text)
    except (ValueError, RecursionError):
        return text


def _refuse(word: str) -> Any:
    message = f"{word} is no JSON"
    raise ValueError(message)


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def _parts(body: bytes, boundary: str) -> Iterator[tuple[str, str]]:
    """The parts of a form with files; a file is its name."""
    if not boundary:
        message = "the form has no boundary"
        raise ValueError(message)
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        head, _, value = part.partition(b"\r\n\r\n")
        name, file = (form.search(head.decode("utf-8", "replace")) for form in (_NAME, _FILE))
        if name:
            text = file[1] if file else value.decode()
            yield name[1].replace("%22", '"'), text.replace("%22", '"') if file else text


def nested(flat: Iterable[tuple[str, str]], style: str) -> Json:
    """Pairs as a map: a[b][0]=1 unfolded where that is the style; a name that comes several times is a list."""
    found: Json = {}
    for name, value in flat:
        head, steps = name.partition("[")[0], _STEP.findall(name)
        if style == "brackets" and head and steps and len(steps) <= _MOST_STEPS:
            _plant(found, [head, *steps], value)
        elif name in found:
            found[name] = [*(found[name] if isinstance(found[name], list) else [found[name]]), value]
        else:
            found[name] = value
    return {name: _listed(value) for name, value in found.items()}


def _plant(tree: Json, steps: list[str], value: str) -> None:
    """Set a value at the end of its steps. An empty step is the next free place."""
    *above, last = steps
    for step in above:
        inner = tree.get(step or str(len(tree)))
        tree[step or str(len(tree))] = inner = inner if isinstance(inner, dict) else {}
        tree = inner
    if last or value or tree:
        tree[last or str(len(tree))] = value


def _listed(tree: Any) -> Any:
    """A map whose keys are 0, 1, 2 … as the list that it was; an empty one as an empty list."""
    if not isinstance(tree, dict):
        return tree
    values = [_listed(value) for value in tree.values()]
    return values if list(tree) == [str(place) for place in range(len(tree))] else dict(zip(tree, values, strict=True))


def values(method: Method, found: Content, path: Mapping[str, str]) -> Json:
    """The values of a call, each under its param's name and in its type. Raises Refused where the body has a fault."""
    result = of_names(method, path)
    reader = _Reader(method)
    for wire, value in nested(found.query, method.sending.nested).items():
        name = reader.name(("query",), wire)
        result[name] = reader.named(name, value)
    for name, param in method.params.items():
        held = found.headers if param.place == "header" else found.cookies if param.place == "cookie" else {}
        wire = param.wire.lower() if param.place == "header" else param.wire
        if wire in held:
            result[name] = reader.named(name, held[wire])
    result.update(_body(method, reader, found))
    return result


def _body(method: Method, reader: _Reader, found: Content) -> Json:
    payload = next((name for name, param in method.params.items() if param.place == "payload"), "")
    if payload:
        return reader.payload(payload, found)
    if found.fault:
        raise Refused("input", found.fault)
    if found.form is not None:
        return reader.sorted(nested(found.form, method.sending.nested), typed=False)
    if isinstance(found.data, list) and method.document.get("positional"):
        order = [name for name, param in method.params.items() if param.place in _BODY]
        held = {name: value for name, value in zip(order, found.data, strict=False) if value != method.sending.slot}
        return {name: reader.named(name, value, typed=True) for name, value in held.items()}
    if isinstance(found.data, dict):
        return reader.sorted(found.data, typed=True)
    if found.raw.strip():
        raise Refused("input", "the body is neither an object of JSON nor a form")
    return {}


def of_text(method: Method, text: str) -> Json:
    """The values of a call that is written as a query, wherever its params travel otherwise."""
    reader = _Reader(method)
    return reader.sorted(nested(pairs(text), method.sending.nested), typed=False, places=_ANYWHERE)


def of_names(method: Method, held: Mapping[str, Any]) -> Json:
    """Values that stand under their params' names already, in the types that the params want."""
    reader = _Reader(method)
    return {name: reader.named(name, value) for name, value in held.items()}


def of_object(method: Method, held: Json) -> Json:
    """The values of a call that is written as an object, wherever its params travel otherwise."""
    return _Reader(method).sorted(held, typed=True, places=_ANYWHERE)


_ANYWHERE = ("body", "query", "path", "header", "cookie", "payload")


class _Reader:
    """Values from the wire as a method's params want them."""

    def __init__(self, method: Method) -> None:
        self.method = method
        self.defs = method.schema.get("$defs", {})
        self.encoders = method.service.encoders
        self._names: dict[tuple[str, str], str] = {}
        for name, param in method.params.items():
            place = "body" if param.place in _BODY else param.place
            self._names.setdefault((place, param.wire.lower()), name)

    def name(self, places: Iterable[str], wire: str) -> str:
        """The name of the param that is called so on the wire, in the first of the places that has one."""
        found = (self._names.get((place, wire.lower())) for place in places)
        return next(filter(None, found), wire)

    def sorted(self, held: Json, *, typed: bool, places: Iterable[str] = ("body",)) -> Json:
        """Values by their wire names → by their own."""
        named = {wire: self.name(tuple(places), wire) for wire in held}
        return {named[wire]: self.named(named[wire], value, typed=typed) for wire, value in held.items()}

    def named(self, name: str, value: Any, *, typed: bool = False) -> Any:
        """The value of a param. Text from an address or a form has no type of its own and gets the schema's."""
        param = self.method.param(self.method.canonical(name))
        return self.meant(value, param.schema if param else {}, typed=typed)

    def payload(self, name: str, found: Content) -> Json:
        """The whole body as the value of one param; bytes that are no text stand there as the name of a file."""
        if not found.raw:
            return {}
        if found.data is not None:
            return {name: found.data}
        try:
            return {name: found.raw.decode()}
        except UnicodeDecodeError:
            return {name: "file"}

    def meant(self, value: Any, node: Any, *, typed: bool) -> Any:
        """A value as its node means it, at every depth."""
        block = resolved(node, self.defs)
        coder = block.get("encode", "")
        if coder in self.encoders and not self._fits(value, block):
            value = _decoded(value, self.encoders[coder])
        if isinstance(value, str):
            return value if typed and coder not in {"json", "comma"} else self._from_text(value, block)
        if isinstance(value, (dict, list)):
            inner = self._within(value, block, typed=typed)
            return inner if typed or self._fits(inner, block) else self._other_form(inner, block)
        return value if typed or self._fits(value, block) else encoding.text_of(value)

    def _within(self, value: Any, block: Json, *, typed: bool) -> Any:
        if isinstance(value, list):
            return [self.meant(item, block.get("items"), typed=typed) for item in value]
        return {key: self.meant(item, child(block, key, self.defs), typed=typed) for key, item in value.items()}

    def _other_form(self, value: Any, block: Json) -> Any:
        """The same as the other kind of container, or as one of several forms, where that is what fits."""
        other = (
            list(value.values())
            if isinstance(value, dict)
            else dict(zip(map(str, range(len(value))), value, strict=True))
        )
        made = [
            *(self.meant(value, part, typed=False) for part in _ways(block)),
            self._within(other, block, typed=False),
        ]
        return next((one for one in made if self._fits(one, block)), value)

    def _from_text(self, text: str, block: Json) -> Any:
        return next((made for made in self._readings(text, block) if self._fits(made, block)), text)

    def _readings(self, text: str, block: Json) -> Iterator[Any]:
        """What a text may stand for, the likeliest first."""
        if block.get("encode") not in {"json", "comma"}:
            yield text
        yield _json(text)
        yield {"1": True, "0": False, "": None}.get(text, text)
        items = [self.meant(item, block.get("items"), typed=False) for item in text.split(",")]
        yield from ([], items) if not text else (items,)
        yield [self.meant(text, block.get("items"), typed=False)]
        yield text

    def _fits(self, value: Any, block: Json) -> bool:
        try:
            return precheck.fits(value, {**block, "$defs": self.defs})
        except precheck.Unknown:
            return True


def _ways(block: Json) -> list[Any]:
    return [*block.get("anyOf", ()), *block.get("oneOf", ())]


def _decoded(value: Any, shape: Any) -> Any:
    """What an encoder wrote, read back: the content of a file, the word of a map; any other value as it is."""
    if isinstance(shape, dict):
        words = [word for word, written in shape.items() if precheck.equal(written, value)]
        return {"true": True, "false": False}.get(words[0], words[0]) if words else value
    if isinstance(shape, list) and isinstance(value, list) and len(shape) == len(value):
        return next((item for item, form in zip(value, shape, strict=True) if form == "{base64}"), value)
    if isinstance(shape, str) and isinstance(value, str):
        form = re.sub(r"\\\{(\w+)\\\}", lambda field: f"(?P<{field[1]}>.*?)", re.escape(shape))
        found = re.fullmatch(form, value, re.DOTALL)
        return found["base64"] if found and "base64" in found.groupdict() else value
    return value
