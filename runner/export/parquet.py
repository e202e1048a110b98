"""Rows as a Parquet file: column types found over all rows, written group by group."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from .. import output

if TYPE_CHECKING:
    from .spool import Table

_GROUP = 8_192  # rows that lie together in the file
_PART = 512  # of them that are read at a time: as cells they take ten times the memory of columns
_TYPES = {"int": "int64", "float": "float64", "bool": "bool"}


def write(place: str, table: Table) -> None:
    """Write all rows; a column of several kinds, or of numbers that are too large, is text."""
    import pyarrow as pa
    from pyarrow import parquet

    names = list(table.columns)
    types = [_TYPES.get(table.kind(name), "string") for name in names]
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in zip(names, types, strict=True)])
    rows = table.cells()

    def batch(part: list[list[Any]]) -> Any:
        columns = zip(zip(*part, strict=True), types, schema, strict=True)
        arrays = [pa.array(map(_READ[kind], values), type=field.type) for values, kind, field in columns]
        return pa.record_batch(arrays, schema=schema)

    parts = map(batch, iter(lambda: list(islice(rows, _PART)), []))
    with open(place, "wb") as file, parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(parts, _GROUP // _PART)):
            writer.write_table(pa.Table.from_batches(group, schema=schema))
            group.clear()  # before the next one is read


def _text(value: Any) -> str | None:
    return None if value is None else output.cell(value)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _same(value: Any) -> Any:
    return value


_READ = {"string": _text, "float64": _number, "int64": _same, "bool": _same}
