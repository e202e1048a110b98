"""Rows kept on the disk until all of them are read: only then it is known which columns they have, and of what kind."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from .. import output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Json = dict[str, Any]
_LARGEST = 2**63


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with their columns.

    `kinds` says for each column which kinds of values it has beside null:
    `str`, `int`, `float`, `bool`, `nested`, and `large` for a whole number that takes more than 64 bits.
    """

    name: str
    columns: Sequence[str]
    kinds: Mapping[str, frozenset[str]]
    spool: Spool
    change: Callable[[Json], Json] | None = None

    def plain(self) -> Iterator[Any]:
        """The rows as they came; those that are no objects by themselves."""
        for row in self.spool:
            yield self.change(row) if self.change and isinstance(row, dict) else row

    def cells(self) -> Iterator[list[Any]]:
        """The values of each row, in the order of the columns; objects and lists as their JSON text."""
        for row in self.plain():
            yield [
                _clean(output.cell(value) if isinstance(value, (dict, list)) else value)
                for value in (output.at(row, name) for name in self.columns)
            ]

    def kind(self, column: str) -> str:
        """The one kind that all values of a column have: whole numbers among others are numbers, a mixture is ``."""
        kinds = {"str" if one == "nested" else one for one in self.kinds.get(column, ())} or {"str"}
        if kinds == {"int", "float"}:
            return "float"
        return kinds.pop() if len(kinds) == 1 else ""

    def dressed(
        self, columns: Sequence[str], change: Callable[[Json], Json], new: Mapping[str, frozenset[str]]
    ) -> Table:
        """The table with more columns, which a change of its rows makes."""
        return replace(self, columns=columns, change=change, kinds={**self.kinds, **new})


def _clean(value: Any) -> Any:
    """Half of a pair of letters, which no file can hold, as its escape; anything else as it is."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode(errors="backslashreplace").decode()


class Spool:
    """Rows on the disk, in a file without a name: it is gone when it is closed, or when the process ends."""

    def __init__(self, folder: str | None) -> None:
        from tempfile import TemporaryFile

        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - it lives as long as this
        self._kinds: dict[str, set[str]] = {}
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the room on the disk back."""
        self._file.close()

    @property
    def kinds(self) -> dict[str, frozenset[str]]:
        """The keys of the rows as they appeared, each with the kinds of its values."""
        return {name: frozenset(kinds) for name, kinds in self._kinds.items()}

    def add(self, row: Any) -> None:
        """Keep a row."""
        self.count += 1
        self._file.write(output.line(row).encode(errors="backslashreplace"))
        known = self._kinds
        for name, value in row.items() if isinstance(row, dict) else (("value", row),):
            kinds = known.get(name)
            if kinds is None:
                kinds = known[name] = set()
            if value is not None:
                kinds.add(_kind(value))

    def __iter__(self) -> Iterator[Any]:
        """The rows, in their order."""
        self._file.seek(0)
        return map(json.loads, self._file)

    def table(self, name: str, columns: Sequence[str]) -> Table:
        """The rows as a table."""
        return Table(name, columns, self.kinds, self)


def _kind(value: Any) -> str:
    kind = type(value).__name__
    if kind == "int" and not -_LARGEST <= value < _LARGEST:
        return "large"
    return "nested" if kind in {"dict", "list"} else kind
