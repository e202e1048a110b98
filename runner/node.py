"""Nodes of JSON Schema, as the files write them and as validators read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Types = Callable[[str], "dict[str, Any] | None"]

Json = dict[str, Any]
_MAPS = ("properties", "patternProperties", "dependentSchemas")
_LISTS = ("prefixItems", "allOf", "anyOf", "oneOf")
_NODES = (
    "items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else", "unevaluatedProperties",
)  # fmt: skip


def merged(base: Any, patch: Any) -> Any:
    """A JSON merge patch laid over a value (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def nodes(node: Any) -> Iterator[Json]:
    """A schema node and all the nodes in it, parents first."""
    if not isinstance(node, dict):
        return
    yield node
    for word in _MAPS:
        for child in node.get(word, {}).values():
            yield from nodes(child)
    for word in _LISTS:
        for child in node.get(word, ()):
            yield from nodes(child)
    for word in _NODES:
        yield from nodes(node.get(word))


def references(node: Any) -> list[str]:
    """The names of the types that a node refers to by itself, each once."""
    found = {part["$ref"][1:]: None for part in nodes(node) if "$ref" in part}
    return list(found)


def resolved(node: Any, defs: Mapping[str, Any]) -> Json:
    """A node with its reference followed and its own words laid over; nothing for what is no node.

    Both count for a validator, so the keys that a type has stay where the node says more of some of them.
    """
    block: Json = node if isinstance(node, dict) else {}
    while "$ref" in block:
        own = {key: value for key, value in block.items() if key != "$ref"}
        target = defs.get(block["$ref"][8:])
        block = {**target, **own, **_together(target, own)} if isinstance(target, dict) else own
    return block


def _together(target: Json, own: Json) -> Json:
    """What a type and a node that refers to it say of the keys of an object, where both do."""
    both: Json = {}
    for word in ("properties", "patternProperties"):
        if word in target and word in own:
            both[word] = {**target[word], **{key: _laid(target[word].get(key), own[word][key]) for key in own[word]}}
    if "required" in target and "required" in own:
        both["required"] = [*dict.fromkeys([*target["required"], *own["required"]])]
    return both


def _laid(under: Any, over: Any) -> Any:
    """One key's node over the other's."""
    return {**under, **over} if isinstance(under, dict) and isinstance(over, dict) else over


def alternatives(node: Any, defs: Mapping[str, Any]) -> Iterator[Json]:
    """A node with its reference followed, and the nodes that it is made of or may be, at every depth."""
    block = resolved(node, defs)
    yield block
    for word in ("allOf", "anyOf", "oneOf"):
        for part in block.get(word, ()):
            yield from alternatives(part, defs)


def child(node: Any, key: str, defs: Mapping[str, Any]) -> Any:
    """The node of a key of an object: a named one, one by pattern, one of its alternatives, or that of all others."""
    block = resolved(node, defs)
    if key in block.get("properties", {}):
        return block["properties"][key]
    for form, other in block.get("patternProperties", {}).items():
        if re.search(form, key):
            return other
    for word in ("allOf", "anyOf", "oneOf"):
        for part in block.get(word, ()):
            found = child(part, key, defs)
            if isinstance(found, dict):
                return found
    return block.get("additionalProperties")


def places_within(nodes: Mapping[str, Any], name: str, defs: Mapping[str, Any]) -> list[str]:
    """Where the objects among these nodes know a key of this name, letter case apart: fields.TITLE for title."""
    folded = name.lower().replace("-", "_")
    known = ((outer, key) for outer, node in nodes.items() for key in resolved(node, defs).get("properties", {}))
    return [f"{outer}.{key}" for outer, key in known if key.lower() == folded]


def veiled(value: Any, node: Any, defs: Mapping[str, Any]) -> Any:
    """The value with `***` in the place of every secret in it."""
    block = resolved(node, defs)
    if block.get("writeOnly"):
        return "***"
    if isinstance(value, dict):
        return {key: veiled(item, child(block, key, defs), defs) for key, item in value.items()}
    if isinstance(value, list):
        return [veiled(item, block.get("items"), defs) for item in value]
    return value


def concealed(value: Any, node: Any, defs: Mapping[str, Any]) -> Iterator[str]:
    """The secrets in a value, as text: those in whose place `veiled` puts `***`."""
    block = resolved(node, defs)
    if isinstance(value, dict):
        for key, item in value.items():
            yield from concealed(item, block if block.get("writeOnly") else child(block, key, defs), defs)
    elif isinstance(value, list):
        for item in value:
            yield from concealed(item, block if block.get("writeOnly") else block.get("items"), defs)
    elif block.get("writeOnly"):
        yield str(value)


def is_map(coder: Any) -> bool:
    """Whether an encoder is a map of values, and not the shape of a file."""
    return isinstance(coder, dict) and not any("{base64}" in str(part) for part in coder.values())


def same(one: Any, other: Any) -> bool:
    """Whether two scalars are the same to JSON, to which true is not 1."""
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def adapted(node: Any, encoders: Mapping[str, Any]) -> Any:
    """A node as validators read it: references resolved in place, encoders' own words let in."""
    if not isinstance(node, dict):
        return node
    result: Json = {}
    for word, value in node.items():
        if word == "$ref":
            result[word] = f"#/$defs/{value[1:]}"
        elif word in _MAPS:
            result[word] = {key: named(child, encoders) for key, child in value.items()}
        elif word in _LISTS:
            result[word] = [adapted(child, encoders) for child in value]
        elif word in _NODES:
            result[word] = adapted(value, encoders)
        else:
            result[word] = value
    coder: Any = encoders.get(node.get("encode", ""))
    if is_map(coder):
        words = [{"true": True, "false": False}.get(key, key) for key in coder]
        result.pop("type", None)
        result["enum"] = [*words, *(value for value in coder.values() if not any(same(value, word) for word in words))]
    return result


def named(node: Any, encoders: Mapping[str, Any]) -> Any:
    """A node under a name. The validator forgets the name where the node is `false`; this says the same."""
    return {"not": {}} if node is False else adapted(node, encoders)


def definitions(document: Json, encoders: Mapping[str, Any], types: Types, origin: str) -> Json:
    """The shared types that a method needs, found through one another, adapted."""
    defs: Json = {}
    sources = [*document.get("params", {}).values(), *document.get("patterns", {}).values()]
    sources += [document.get("rules", {}), document.get("returns"), *(one["if"] for one in document.get("warn", ()))]
    sources += document.get("by_auth", {}).values()
    waiting = [name for node in sources for name in references(node)]
    while waiting:
        name = waiting.pop()
        if name in defs:
            continue
        node = types(name)
        if node is None:
            message = f"{document['method']} refers to the type #{name}, which the service does not have"
            raise SpecError(message, where=origin, method=document["method"])
        defs[name] = adapted(node, encoders)
        waiting += references(node)
    for name in defs:
        _finite(name, defs, origin)
    return defs


def _finite(name: str, defs: Json, origin: str) -> None:
    """Refuse a type that is nothing but itself by another name."""
    seen, node = {name}, defs[name]
    while isinstance(node, dict) and "$ref" in node:
        step = node["$ref"][8:]
        if step in seen:
            message = f"the type #{name} refers to itself"
            raise SpecError(message, where=origin, hint="write what it is")
        seen.add(step)
        node = defs[step]
