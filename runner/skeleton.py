"""What is to be filled by a person: the structure of a method's params, the first text of a new file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .arguments import known_values, types_of
from .node import resolved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .spec import Method

Json = dict[str, Any]


def skeleton(method: Method, at: str = "", *, described: bool = False) -> Any:
    """A structure with every param, or with all of one param, to be filled.

    It holds the service's defaults, and empty values that no check lets pass; `described` puts a hint in their place.
    Keys that only the service writes are left out.
    """
    defs = method.schema.get("$defs", {})
    whole = {
        name: param.schema
        for name, param in method.params.items()
        if not param.schema.get("deprecated") and not {"send", "generate"} & param.schema.keys()
    }
    if at:
        return _shape(method.params[method.canonical(at)].schema, defs, at if described else "", 0)
    return {name: _shape(node, defs, name if described else "", 0) for name, node in whole.items()}


def _shape(node: Any, defs: Mapping[str, Any], name: str, depth: int) -> Any:
    """An empty value for a node; a hint, where the node has a name."""
    block = resolved(node, defs)
    if "default" in block and not name:
        return block["default"]
    kinds = types_of(block, defs)
    if "properties" in block and depth < 3:  # noqa: PLR2004 - deeper structures are seldom filled by hand
        given = {key: one for key, one in block["properties"].items() if not resolved(one, defs).get("readOnly")}
        return {key: _shape(one, defs, key if name else "", depth + 1) for key, one in given.items()}
    if "array" in kinds:
        inner = _shape(block.get("items", {}), defs, name, depth + 1)
        if not name or isinstance(inner, dict):
            return [inner] if isinstance(inner, dict) and inner else []
    if name:
        known = ", ".join(known_values(block, defs))
        return f"<{block.get('description') or name}{': ' if known else ''}{known}>"
    return next((empty for kind, empty in _EMPTY.items() if kind in kinds), "")


_EMPTY: Json = {"string": "", "integer": 0, "number": 0, "boolean": False, "object": {}}
