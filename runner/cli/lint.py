"""`check`: YAML files held against the grammar, and what is wrong with them said with line, column and fix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import lint
from ..catalog import Catalog
from ..compiler import SERVICE
from ..errors import USAGE, CallError
from ..fault import files
from ..folders import search_path
from . import console
from . import help as pages
from .quick import COMMANDS, RESERVED, counted
from .words import catalog, general

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..fault import Fault

_TAKEN = frozenset({*COMMANDS, *RESERVED})


def check(argv: list[str]) -> int:
    """`check [PATH...]`: exit code 2 where a file has an error; the whole search path where no path is given."""
    line = general(argv)
    if line.on("--help"):
        console.answer(pages.command("check"))
        return 0
    line.only("check", "--methods")
    paths = [Path(word) for word in line.rest] or [Path(root) for root in search_path(line.get("--methods") or None)]
    for path in paths:
        if not path.exists():
            raise CallError(f"there is no file {path}")
    catalog(line)
    found = _once(fault for path in paths for fault in _of_path(path, line.get("--methods")))
    for fault in found:
        console.answer(f"{fault}\n")
    count = sum(len(files(path)) for path in paths)
    errors = sum(fault.level == "error" for fault in found)
    warnings = len(found) - errors
    console.note(f"{counted(count, 'file')}, {counted(errors, 'error')}, {counted(warnings, 'warning')}")
    return USAGE if errors else 0


def _once(faults: Iterable[Fault]) -> list[Fault]:
    """Each fault once: one of a service file is met again by each of its methods."""
    found: dict[tuple[Path, str], Fault] = {}
    for fault in faults:
        file, _, place = fault.where.partition(".yaml")
        what = fault.message.partition(";")[0] if file.endswith(Path(SERVICE).stem) else f"{place} {fault.message}"
        found.setdefault((Path(file).resolve(), what), fault)
    return list(found.values())


def _of_path(path: Path, methods: str) -> list[Fault]:
    """The faults of a file or of a folder; its own tree is searched before all others."""
    known = Catalog(methods or _root(path))
    return [fault for file in files(path) for fault in lint.faults(file, known, _TAKEN)]


def _root(path: Path) -> str | None:
    """The folder of methods that a path stands in: the one above its service."""
    whole = path.resolve()
    for folder in (whole, *whole.parents):
        if (folder / SERVICE).exists():
            return str(folder.parent)
        if folder.name == "methods":
            return str(folder)
    return str(whole) if whole.is_dir() else None
