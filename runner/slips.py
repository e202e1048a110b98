"""Names inside objects and lists that are not known but look like one that is: a service ignores them silently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import precheck
from .errors import Problem, did_you_mean, nearest
from .node import resolved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .spec import Method

Json = dict[str, Any]
_SIGNS = "!<>=@%~?+-"  # that compare or turn the order, before the name of a field
_ALIKE = 0.75  # of 1: how like another a name must be to be taken for it, where fields may be told that rows lack


def of_keys(path: str, value: Any, part: Any, defs: Json) -> Iterator[Problem]:
    """Keys of an open object that are not known but look like one that is."""
    if not isinstance(value, (dict, list)):
        return
    node = resolved(part, defs)
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from of_keys(f"{path}.{place}", item, node.get("items"), defs)
    known = node.get("properties", {})
    if not isinstance(value, dict) or not known:
        return
    forms = node.get("patternProperties", {})
    for key, item in value.items():
        if key in known:
            yield from of_keys(f"{path}.{key}", item, known[key], defs)
        elif node.get("additionalProperties") is not False and not any(
            precheck.form_of(form).search(key) for form in forms
        ):
            near = nearest(key, known)
            if near and near[0].lower() != key.lower() and near[0] not in value and len(key) > 3:  # noqa: PLR2004
                yield Problem("warning", f"{path}.{key}", "is not a known key", did_you_mean(near))


def of_fields(path: str, names: Iterable[Any], more: Iterable[str], method: Method) -> Iterator[Problem]:
    """Fields to filter, to sort or to choose by that the rows of a method lack, and that look like one they have.

    `more` are names that are known besides. A service may answer all of its rows where it does not know a condition.
    """
    rows = _rows(method)
    forms = rows.get("patternProperties", {})
    known = {
        _folded(name): name for name in (*rows.get("properties", ()), *more)
    }  # any case may do, so no case is told
    for name in names:
        bare = name.lstrip(_SIGNS) if isinstance(name, str) else ""
        if _folded(bare) not in known and not any(precheck.form_of(form).search(bare) for form in forms):
            near = nearest(bare, known.values(), least=_ALIKE)
            if near:
                yield Problem("warning", f"{path}.{name}", "is not a known field", did_you_mean(near))


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _rows(method: Method) -> Json:
    """What the rows of a method's list are, which is its whole result or stands in it; nothing where it has none."""
    defs = method.schema.get("$defs", {})
    whole = resolved(method.returns, defs)
    lists = [whole, *(resolved(one, defs) for one in whole.get("properties", {}).values())]
    return next((row for one in lists if (row := resolved(one.get("items"), defs)).get("properties")), {})
