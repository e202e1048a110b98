"""A value made from a schema: what a method without state and without an example answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..spec import Method

_DEEP = 8
_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00+00:00",
    "time": "12:00:00",
    "duration": "PT1H",
    "email": "name@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "regex": ".*",
}


def of(method: Method) -> Any:
    """The value that a method's `returns` describes; None where it says nothing."""
    return made(method.document.get("returns", {"type": "null"}), method.schema.get("$defs", {}))


def made(node: Any, defs: Mapping[str, Any], depth: int = 0) -> Any:
    """A value that a node takes, the same one every time. Below a depth that no answer has, nothing."""
    if not isinstance(node, dict) or depth > _DEEP:
        return None
    if "$ref" in node:
        target = defs.get(node["$ref"].rpartition("/")[2].removeprefix("#"), {})
        return made({**target, **{key: value for key, value in node.items() if key != "$ref"}}, defs, depth + 1)
    for word in ("const", "default"):
        if word in node:
            return node[word]
    for word in ("enum", "examples"):
        if node.get(word):
            return node[word][0]
    for word in ("anyOf", "oneOf", "allOf"):
        if word in node:
            return made({**node[word][0], **_bare(node)}, defs, depth + 1)
    return _of_type(node, defs, depth)


def _bare(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key in {"type", "properties", "items"}}


def _of_type(node: Any, defs: Mapping[str, Any], depth: int) -> Any:
    kind = _kind(node)
    if kind == "object":
        return {name: made(part, defs, depth + 1) for name, part in node.get("properties", {}).items()}
    if kind == "array":
        heads = [made(part, defs, depth + 1) for part in node.get("prefixItems", ())]
        count = max(node.get("minItems", 0), 1 if "items" in node and not heads else 0) - len(heads)
        return heads + [made(node.get("items"), defs, depth + 1) for _ in range(count)]
    if kind == "string":
        return _text(node)
    if kind in {"integer", "number"}:
        return _number(node)
    return True if kind == "boolean" else None


def _kind(node: Mapping[str, Any]) -> str:
    """The type of a node: as it says, the first of several, or as its other words tell."""
    named = node.get("type", "")
    if named:
        return str(named if isinstance(named, str) else named[0])
    if "properties" in node:
        return "object"
    return "array" if "items" in node or "prefixItems" in node else ""


def _text(node: Mapping[str, Any]) -> str:
    text = _FORMATS.get(node.get("format", ""), "text")
    return text.ljust(node.get("minLength", 0), "x")[: node.get("maxLength", len(text) + node.get("minLength", 0))]


def _number(node: Mapping[str, Any]) -> float:
    """The least number that a node takes, 1 where it says nothing, in its steps."""
    least = node.get("minimum", node.get("exclusiveMinimum", 0) + 1 if "exclusiveMinimum" in node else 1)
    most = node.get("maximum", node["exclusiveMaximum"] - 1 if "exclusiveMaximum" in node else least)
    step = node.get("multipleOf", 1)
    found: float = min(least, most)
    return found if found % step == 0 else found + step - found % step
