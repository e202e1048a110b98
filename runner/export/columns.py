"""Which columns rows have, and in which order: the caller's choice, the method's description, the rows themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ..node import child, resolved
from ..spec import folded

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..spec import Method

Json = dict[str, Any]
_CHOICE = "select"  # how services call the param that names the fields to answer


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of rows before the first comes: the fields that the caller chose, those that are described."""

    chosen: tuple[str, ...] = ()
    described: tuple[str, ...] = ()

    @classmethod
    def of(cls, method: Method, values: Mapping[str, Any], *, paged: bool) -> Shape:
        """The shape of the rows that a call answers."""
        chosen = next((value for name, value in values.items() if name.lower() == _CHOICE), ())
        words = chosen.split(",") if isinstance(chosen, str) else chosen if isinstance(chosen, (list, tuple)) else ()
        defs = method.schema.get("$defs", {})
        return cls(tuple(str(word).strip() for word in words), tuple(properties(row_node(method, paged=paged), defs)))

    def ordered(self, seen: Collection[str]) -> list[str]:
        """The columns of rows in which these keys were seen, in order of appearance.

        The chosen fields come first, in their order, also those that no row has; then the described ones in the
        order of their description; then the others as they appeared. Where there was no row, the chosen or else
        the described fields are the columns.
        """
        places = {name: place for place, name in enumerate(self.described)}
        base = sorted(seen or self.described, key=lambda name: places.get(name, len(places)))
        found: dict[str, None] = {}
        for word in self.chosen:
            for name in _matching(word, [name for name in base if name not in found]):
                found[name] = None
        if seen or not self.chosen:
            found |= dict.fromkeys(base)
        return list(found)


def _matching(word: str, names: list[str]) -> list[str]:
    """The columns that a chosen field means: itself, itself in other letters, all that fit its `*`, else a new one."""
    if word in names:
        return [word]
    if "*" in word:
        return [name for name in names if fnmatchcase(name, word)]
    near = [name for name in names if folded(name) == folded(word)]
    return near[:1] or ([word] if re.fullmatch(r"\w+", word) else [])


def row_node(method: Method, *, paged: bool) -> Json:
    """The schema of one row: of the items of a list, of the list that pages are read from, else of the value."""
    defs = method.schema.get("$defs", {})
    block = resolved(method.returns, defs)
    names = list(properties(block, defs))
    rows = {style.items.rpartition(".")[2] for style in method.styles} if paged else set(names[:1] * (len(names) == 1))
    for name in names:
        inner = resolved(child(block, name, defs), defs)
        if name in rows and "items" in inner:
            block = inner
    return resolved(block["items"], defs) if "items" in block else block


def properties(node: Any, defs: Mapping[str, Any]) -> Json:
    """The named properties of a node and of its alternatives, in order."""
    block = resolved(node, defs)
    found: Json = dict(block.get("properties", {}))
    for word in ("allOf", "anyOf", "oneOf"):
        for part in block.get(word, ()):
            found = {**found, **{name: node for name, node in properties(part, defs).items() if name not in found}}
    return found
