"""What a service and a method are: the YAML as frozen values. The documents were checked by the grammar before."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import refusal
from .errors import SpecError
from .limit import Limit, Retry
from .node import adapted, definitions, merged, named, nodes, resolved, veiled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .node import Types
    from .refusal import Refusal

Json = dict[str, Any]


def folded(name: str) -> str:
    """A name without letter case and separators: how flags find their param."""
    return re.sub(r"[^0-9a-zа-яё]", "", name.lower())


def flag(name: str) -> str:
    """The flag of a param: `ENTITY_TYPE` is `--entity-type`, `taskId` is `--task-id`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    return "--" + re.sub(r"[\W_]+", "-", words).strip("-").lower()


@dataclass(frozen=True, slots=True)
class Scheme:
    """A way of authorising: what it needs, where it sends calls, what it adds to them."""

    name: str
    title: str
    needs: tuple[str, ...]
    base: str
    send: Json
    first: Json | None
    renew: Json | None = None
    login: Json | None = None
    apart: bool = False

    @classmethod
    def read(cls, name: str, block: Json) -> Scheme:
        """The block as a value."""
        return cls(
            name=name,
            title=block.get("title", name),
            needs=tuple(block.get("needs", ())),
            base=block["base"],
            send=block.get("send", {}),
            first=block.get("first"),
            renew=block.get("renew"),
            login=block.get("login"),
            apart=block.get("apart", False),
        )


@dataclass(frozen=True, slots=True)
class Sending:
    """How a call is written: verb, address, places, shapes."""

    verb: str = "POST"
    base: str = ""
    path: str = "{method}"
    place: str = "body"
    headers: Mapping[str, str] = field(default_factory=dict)
    nested: str = "brackets"
    empty: str = "object"
    slot: Any = None

    @classmethod
    def read(cls, block: Json) -> Sending:
        """The block as a value."""
        verb = block.get("verb", "POST")
        return cls(
            verb=verb,
            base=block.get("base", ""),
            path=block.get("path", "{method}"),
            place=block.get("in", "query" if verb in {"GET", "HEAD", "DELETE", "OPTIONS"} else "body"),
            headers=block.get("headers", {}),
            nested=block.get("nested", "brackets"),
            empty=block.get("empty", "object"),
            slot=block.get("slot"),
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """How an answer is read: its forms, its value, its refusal."""

    answers: tuple[str, ...] = ("json",)
    result: str = "@"
    meta: Mapping[str, str] = field(default_factory=dict)
    when: str = ""
    code: str = ""
    message: str = ""
    details: str = ""
    largest: int = 32 * 2**20

    @classmethod
    def read(cls, block: Json) -> Reading:
        """The block as a value."""
        answer, error = block.get("answer", "json"), block.get("error", {})
        return cls(
            answers=(answer,) if isinstance(answer, str) else tuple(answer),
            result=block.get("result", "@"),
            meta=block.get("meta", {}),
            when=error.get("when", ""),
            code=error.get("code", ""),
            message=error.get("message", ""),
            details=error.get("details", ""),
            largest=block.get("largest", 32 * 2**20),
        )


@dataclass(frozen=True, slots=True)
class Style:
    """A way of paging. What each field means is said in the grammar."""

    name: str
    send: Mapping[str, Any]
    next: str = ""
    add: int = 0
    follow: str = ""
    last: str = ""
    items: str = "@"
    total: str = ""
    size: int = 0
    first: int = 1
    stop: str = "absent"
    jump: bool = False
    ranges: Json = field(default_factory=dict)

    @classmethod
    def read(cls, name: str, block: Json) -> Style:
        """The block as a value."""
        return cls(name=name, send=block.get("send", {}), **{k: v for k, v in block.items() if k != "send"})


@dataclass(frozen=True, slots=True)
class Batch:
    """How several calls travel in one."""

    method: str
    size: int
    commands: str
    form: str
    command: Any
    halt: str
    all_or_nothing: bool
    reference: str
    answers: Json

    @classmethod
    def read(cls, block: Json) -> Batch:
        """The block as a value."""
        return cls(
            method=block["method"],
            size=block["size"],
            commands=block["commands"],
            form=block.get("as", "map"),
            command=block["command"],
            halt=block.get("halt", ""),
            all_or_nothing=block.get("all_or_nothing", False),
            reference=block.get("reference", ""),
            answers=block["answers"],
        )


@dataclass(frozen=True, slots=True)
class Service:
    """All that is true of every method of one service, in one of its variants."""

    name: str
    variant: str
    title: str
    docs: str
    fields: Mapping[str, Json]
    accept: Mapping[str, tuple[str, ...]]
    help: str
    schemes: tuple[Scheme, ...]
    request: Json
    response: Json
    errors: Json
    retry: Retry
    limits: tuple[Limit, ...]
    pages: Json
    batch: Batch | None
    encoders: Mapping[str, Any]
    sandbox: Json
    common: Json
    origin: str = ""
    guest: bool = False
    whoami: Json | None = None

    @classmethod
    def read(cls, document: Json, variant: str = "", origin: str = "", *, guest: bool = False) -> Service:
        """The service as its variant sees it. `origin` is the file, for errors.

        A `guest` stands in the folder that somebody happens to work in, in the place of a service that is
        installed: it is not given the credentials that were saved for that one.
        """
        if variant:
            known = document.get("variants", {})
            if variant not in known:
                message = f"the service {document['service']} has no variant {variant!r}"
                raise SpecError(message, where=origin, hint=f"it has {', '.join(known) or 'none'}")
            document = merged(document, known[variant])
        profile = document.get("profile", {})
        return cls(
            name=document["service"],
            variant=variant,
            title=document["title"],
            docs=document.get("docs", ""),
            fields={
                name: node if isinstance(node, dict) else {} for name, node in profile.get("properties", {}).items()
            },
            accept={key: tuple(value) for key, value in profile.get("accept", {}).items()},
            help=profile.get("help", ""),
            schemes=tuple(Scheme.read(name, block) for name, block in document["auth"].items()),
            request=document.get("request", {}),
            response=document.get("response", {}),
            errors=document.get("errors", {}),
            retry=Retry.read(document.get("retry", {})),
            limits=tuple(map(Limit.read, document.get("limits", ()))),
            pages=document.get("pages", {}),
            batch=Batch.read(document["batch"]) if "batch" in document else None,
            encoders=document.get("encode", {}),
            sandbox=document.get("sandbox", {}),
            common=document.get("common", {}),
            origin=origin,
            guest=guest,
            whoami=profile.get("whoami"),
        )

    def kinds(self) -> dict[str, str]:
        """What the fields of a connection hold, as templates want to know it."""
        return {
            name: node.get("format") or node.get("type", "string")
            for name, node in self.fields.items()
            if node.get("format") in {"hostname", "uri"} or node.get("type") == "integer"
        }

    def secrets(self) -> frozenset[str]:
        """The fields of a connection that are never shown."""
        return frozenset(name for name, node in self.fields.items() if node.get("writeOnly"))


@dataclass(frozen=True, slots=True)
class Param:
    """One param: its name for callers, its name and place on the wire, its schema and flags."""

    name: str
    wire: str
    place: str
    schema: Json
    flags: tuple[str, ...]
    secret: bool
    encoded: bool

    @classmethod
    def read(cls, name: str, node: Any, place: str, types: Json) -> Param:
        """The param of a node; `place` is where it travels unless it says so itself."""
        block: Json = node if isinstance(node, dict) else {}
        whole = {**block, **resolved(block, types)}
        return cls(
            name=name,
            wire=whole.get("wire", name),
            place=whole.get("in", place),
            schema=whole,
            flags=(flag(name), *block.get("cli", ())),
            secret=bool(whole.get("writeOnly")),
            encoded=_encodes(block, types, frozenset()),
        )


def _encodes(node: Any, types: Json, above: frozenset[str]) -> bool:
    """Whether something in a node has an encoder, through references."""
    for part in nodes(node):
        name = part["$ref"][8:] if "$ref" in part else ""
        if "encode" in part or (name and name not in above and _encodes(types[name], types, above | {name})):
            return True
    return False


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a service: what a call may hold, how it is written, how its answer is read."""

    service: Service
    name: str
    summary: str
    effect: str
    document: Json
    origin: str
    params: Mapping[str, Param]
    patterns: tuple[tuple[re.Pattern[str], Param], ...]
    schema: Json
    sending: Sending
    reading: Reading
    styles: tuple[Style, ...]
    returns: Any
    by_case: Mapping[str, str]
    advice: tuple[tuple[Json, str], ...]
    by_auth: Mapping[str, Json]
    common: frozenset[str]  # the params that it has from its service
    memo: Json = field(default_factory=dict, repr=False, compare=False)  # what others worked out of it once

    @classmethod
    def read(cls, document: Json, service: Service, types: Types, origin: str = "") -> Method:
        """The method as a value. `types` gives a shared type by name; a missing one is a SpecError."""
        for name in (*document.get("auth", ()), *document.get("by_auth", ())):
            if name not in {scheme.name for scheme in service.schemes}:
                message = f"the service {service.name} has no way of authorising called {name!r}"
                hint = f"it has {', '.join(scheme.name for scheme in service.schemes)}"
                raise SpecError(message, where=origin, hint=hint)
        common = _common(document, service)
        document = {**document, "params": {**document.get("params", {}), **common}} if common else document
        defs = definitions(document, service.encoders, types, origin)
        request = merged(service.request, document.get("request", {}))
        if "verb" in document.get("request", {}) and "in" not in document["request"]:
            request.pop("in", None)
        sending = Sending.read(request)
        params = {
            name: Param.read(name, adapted(node, service.encoders), sending.place, defs)
            for name, node in document.get("params", {}).items()
        }
        patterns = tuple(
            (re.compile(form), Param.read(form, adapted(node, service.encoders), sending.place, defs))
            for form, node in document.get("patterns", {}).items()
        )
        return cls(
            service=service,
            name=document["method"],
            summary=document["summary"],
            effect=document["effect"],
            document=document,
            origin=origin,
            params=params,
            patterns=patterns,
            schema=_input_schema(document, service, defs),
            sending=sending,
            reading=Reading.read(merged(service.response, document.get("response", {}))),
            styles=_styles(document.get("pages", {}), service, origin),
            returns=adapted(document.get("returns"), service.encoders),
            by_case={name.lower(): name for name in params},
            advice=tuple(
                ({"allOf": [adapted(block["if"], service.encoders)], "$defs": defs}, block["say"])
                for block in document.get("warn", ())
            ),
            by_auth={
                name: {"allOf": [adapted(node, service.encoders)], "$defs": defs}
                for name, node in document.get("by_auth", {}).items()
            },
            common=frozenset(common),
        )

    @property
    def full_name(self) -> str:
        """The name that calls it: with `@variant` where it has one."""
        return f"{self.name}@{self.service.variant}" if self.service.variant else self.name

    @property
    def scope(self) -> str:
        """The permissions that a call needs, in words."""
        return _permissions(self.document.get("scope", ""))

    def repeatable(self, values: Mapping[str, Any]) -> bool:
        """Whether a call with these values may be made again when its answer was lost.

        Where a param makes that harmless, it must be among the values.
        """
        mark = self.document.get("idempotent")
        if isinstance(mark, str):
            mark = any(self.canonical(name) == mark and value is not None for name, value in values.items())
        return self.effect == "read" or bool(mark)

    def canonical(self, name: str) -> str:
        """A param's name as the file spells it, found without letter case; other names as they are."""
        return name if name in self.params else self.by_case.get(name.lower(), name)

    def param(self, name: str) -> Param | None:
        """The param of this exact name, or the pattern that takes it."""
        found = self.params.get(name)
        if found is None:
            found = next((param for form, param in self.patterns if form.search(name)), None)
        return found

    def veiled(self, values: Mapping[str, Any]) -> Json:
        """The values with `***` in the place of every secret in them, at every depth."""
        defs = self.schema.get("$defs", {})
        params = {name: self.param(self.canonical(name)) for name in values}
        return {name: veiled(values[name], param.schema if param else {}, defs) for name, param in params.items()}

    def refusal(self, code: str, status: int, message: str = "") -> Refusal | None:
        """What is known of an error: under each of its names the method's words first, then the service's."""
        return refusal.known((self.document.get("errors", {}), self.service.errors), code, status, message)


def _permissions(scope: Any, around: str = "") -> str:
    """Permissions in words. `around` joins them with others, of which those that are joined otherwise are set apart."""
    if isinstance(scope, str):
        return scope
    parts, word = (scope["all"], "and") if isinstance(scope, dict) else (scope, "or")
    text = f" {word} ".join(_permissions(part, word) for part in parts)
    return f"({text})" if around not in {"", word} and len(parts) > 1 else text


def _common(document: Json, service: Service) -> Json:
    """The params that the service's methods of this effect take, as far as this one has a place for them."""
    own, ways = document.get("params", {}), set(document.get("auth", ()))
    payload = any(isinstance(node, dict) and node.get("in") == "payload" for node in own.values())
    apart = ways and ways <= {scheme.name for scheme in service.schemes if scheme.apart}
    if document.get("positional") or payload or apart:
        return {}
    listed = {name.lower() for name in own}
    found: Json = service.common.get(document["effect"], {})
    return {name: node for name, node in found.items() if name.lower() not in listed}


def _input_schema(document: Json, service: Service, defs: Json) -> Json:
    """The whole input as one JSON Schema object."""
    encoders = service.encoders
    schema: Json = {
        "type": "object",
        "properties": {name: named(node, encoders) for name, node in document.get("params", {}).items()},
        **adapted(document.get("rules", {}), encoders),
    }
    if "patterns" in document:
        schema["patternProperties"] = {form: adapted(node, encoders) for form, node in document["patterns"].items()}
    if "required" in document:
        schema["required"] = document["required"]
    if not document.get("more"):
        schema["additionalProperties"] = False
    if defs:
        schema["$defs"] = defs
    return schema


def _styles(block: Any, service: Service, origin: str) -> tuple[Style, ...]:
    named: Json = block if isinstance(block, dict) else {name: {} for name in block}
    for name in named:
        if name not in service.pages and not named[name]:
            message = f"the service {service.name} has no way of paging called {name!r}"
            raise SpecError(message, where=origin, hint=f"it has {', '.join(service.pages) or 'none'}")
    styles = tuple(Style.read(name, merged(service.pages.get(name, {}), patch)) for name, patch in named.items())
    for style in styles:
        lacking = {"id", "until", "newest", "counted", "total"} - set(style.ranges) if style.ranges else None
        if lacking:
            message = f"the ranges of the pages {style.name!r} lack {', '.join(sorted(lacking))}"
            raise SpecError(message, where=origin)
    return styles
