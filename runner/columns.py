"""Columns of a file → params of a method: which goes where, and how the text of a cell is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import arguments
from .encoding import text_of
from .errors import CallError, Problem, did_you_mean, nearest
from .node import resolved

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from .spec import Method
    from .table import Row

Json = dict[str, Any]
Path = tuple[str, ...]
_KINDS = {bool: "boolean", int: "integer", float: "number"}


def wanted(words: Iterable[str]) -> dict[str, list[Path]]:
    """The columns that were named for params, by `param=Column`, with the paths that each goes to."""
    found: dict[str, list[Path]] = {}
    for word in words:
        parts = arguments.split(word)
        if parts is None or parts[1] != "=" or not parts[2].strip():
            raise CallError(f"--map takes PARAM=COLUMN, not {word!r}", hint='such as --map "fields.TITLE=Name of deal"')
        found.setdefault(parts[2].strip(), []).append(tuple(parts[0]))
    return found


class Columns:
    """Where the columns of a file go. `constants` stand in each row where no cell takes their place."""

    def __init__(  # noqa: PLR0913 - the words of the command
        self,
        method: Method,
        named: Mapping[str, list[Path]],
        constants: Json,
        *,
        ignored: Collection[str] = (),
        lenient: bool = False,
        empty: bool = False,
        as_text: bool = True,
    ) -> None:
        self.method, self._named, self._constants = method, named, {}
        for name, value in constants.items():
            self._constants[method.canonical(name)] = value
        self._ignored = {name.casefold() for name in ignored}
        self._lenient, self._empty, self._as_text = lenient, empty, as_text
        self._defs: Mapping[str, Any] = method.schema.get("$defs", {})
        self._known = dict(self._nested())
        self._paths: dict[str, list[tuple[Path, Any]]] = {}
        self._lists: set[Path] = set()

    def demand(self, columns: Sequence[str]) -> None:
        """Refuse columns that nothing takes, and columns that were named and are not there."""
        folded = {name.casefold() for name in columns}
        for name in [*self._named]:
            if name.casefold() not in folded:
                hint = did_you_mean(nearest(name, columns)) or f"it has {', '.join(filter(None, columns))}"
                raise CallError(f"the file has no column {name!r}", hint=hint)
        problems = [self._stranger(name) for name in columns if name and self._found(name) is None]
        if problems:
            raise CallError("; ".join(str(one) for one in problems), hint=_WAYS)

    def input(self, row: Row) -> tuple[Json, list[Problem]]:
        """The input of a row's call, and what in it could not be read."""
        values: Json = {}
        problems = [Problem("error", "", row.fault)] if row.fault else []
        for column, cell in row.cells.items():
            found = self._found(column) if column else []
            if found is None:
                one = self._stranger(column)
                problems.append(Problem("error", column, one.message, one.hint or _WAYS))
                continue
            if self._as_text and (cell is None or (cell == "" and not self._empty)):
                continue
            for path, node in found:
                try:
                    _put(values, path, self._read(cell, node) if self._as_text else cell)
                except CallError as error:
                    problems.append(Problem("error", ".".join(path), error.message, error.hint))
        if self._lists:
            values = self._listed(values, ())
        return _over(self._constants, values), problems

    def _found(self, column: str) -> list[tuple[Path, Any]] | None:
        """The paths that a column goes to with their nodes; None where nothing takes it."""
        if column not in self._paths:
            paths = self._path(column)
            if paths is None:
                return None
            self._paths[column] = [(path, arguments.node_at(self.method, path)) for path in paths]
            for path in paths:
                self._note_lists(path)
        return self._paths[column]

    def _path(self, column: str) -> list[Path] | None:
        name, folded = column.strip(), column.strip().casefold()
        named = [path for one, paths in self._named.items() if one.casefold() == folded for path in paths]
        if named:
            return [(self.method.canonical(path[0]), *path[1:]) for path in named]
        if folded in self._ignored:
            return []
        first, *rest = arguments.steps(name) or [name]
        for head, tail in ((name, []), (first, rest)):
            proper = self.method.canonical(head)
            if self.method.param(proper) is not None:
                path: Path = (proper, *tail)
                return [path]
        found = self._known.get(folded, [])
        if len(found) > 1:
            ways = " or ".join(f"--map {'.'.join(path)}={name}" for path in found)
            raise CallError(f"the column {name!r} may be {' or '.join(map('.'.join, found))}", hint=f"write {ways}")
        return found or self._patterned(name) or ([] if self._lenient else None)

    def _nested(self) -> Iterator[tuple[str, list[Path]]]:
        """The keys of params that are objects, folded, with their paths."""
        found: dict[str, list[Path]] = {}
        for name, param in self.method.params.items():
            for key in _keys(param.schema, self._defs):
                paths = found.setdefault(key.casefold(), [])
                if (name, key) not in paths:
                    paths.append((name, key))
        yield from found.items()

    def _patterned(self, name: str) -> list[Path]:
        """The one param whose object takes keys of this form."""
        from .precheck import form_of

        found: list[Path] = []
        for param in self.method.params.values():
            forms = resolved(param.schema, self._defs).get("patternProperties", {})
            if any(form_of(form).search(name) for form in forms):
                found.append((param.name, name))
        return found if len(found) == 1 else []

    def _stranger(self, column: str) -> Problem:
        names = [*self.method.params, *(path[-1] for paths in self._known.values() for path in paths)]
        near = did_you_mean(nearest(column, names))
        return Problem("error", "", f"{self.method.full_name} takes no column {column!r}", near)

    def _note_lists(self, path: Path) -> None:
        """Remember where the steps of a path are places of a list."""
        for place, step in enumerate(path[1:], 1):
            node = arguments.node_at(self.method, path[:place])
            if step.isdigit() and "array" in arguments.types_of(node, self._defs):
                self._lists.add(path[:place])

    def _listed(self, value: Any, path: Path) -> Any:
        """The value with lists where places were given; places that no cell filled close up."""
        if not isinstance(value, dict):
            return value
        found = {key: self._listed(item, (*path, key)) for key, item in value.items()}
        places = path in self._lists and all(key.isdigit() for key in found)
        return [found[key] for key in sorted(found, key=int)] if places else found

    def _read(self, cell: Any, node: Any) -> Any:
        """The value of a cell: text as on a command line, numbers as they are where that is what is wanted."""
        types = arguments.types_of(node, self._defs)
        if not isinstance(cell, str):
            fits = not types or _KINDS[type(cell)] in types or (isinstance(cell, int) and "number" in types)
            if fits and not arguments.known_values(node, self._defs):
                return cell
            cell = text_of(cell)
        text = cell if "string" in types or not types else cell.strip()
        return arguments.typed(text, node, self._defs, self.method.service.encoders)


_WAYS = "write --map PARAM=COLUMN to say where a column goes, --ignore COLUMN to leave it out"


def _keys(node: Any, defs: Mapping[str, Any]) -> Iterator[str]:
    """The known keys of an object, through its alternatives."""
    block = resolved(node, defs)
    yield from block.get("properties", {})
    for word in ("allOf", "anyOf", "oneOf"):
        for part in block.get(word, ()):
            yield from _keys(part, defs)


def _put(values: Json, path: Path, value: Any) -> None:
    """Put a value at its path. Raises CallError where something else stands there."""
    here: Any = values
    for step in path[:-1]:
        here = here.setdefault(step, {})
        if not isinstance(here, dict):
            raise CallError("is given twice", hint="two columns go to the same place")
    if path[-1] in here:
        raise CallError("is given twice", hint="two columns go to the same place")
    here[path[-1]] = value


def _over(base: Any, value: Any) -> Any:
    """A value laid over constants: objects key by key, lists of objects place by place."""
    if isinstance(base, dict) and isinstance(value, dict):
        return {**base, **{key: _over(base.get(key), item) for key, item in value.items()}}
    if isinstance(base, list) and isinstance(value, list) and all(isinstance(one, dict) for one in [*base, *value]):
        return [_over(base[place], one) if place < len(base) else one for place, one in enumerate(value)]
    return value
