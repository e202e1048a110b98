"""What is wrong in a YAML file, and where in it: the files that there are, their faults as they are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import compiler, document

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a file. `where` is `file:line:column`; a warning hinders nobody."""

    where: str
    message: str
    hint: str = ""
    level: str = "error"

    def __str__(self) -> str:
        return f"{self.where}: {self.level}: {self.message}" + (f"; {self.hint}" if self.hint else "")


class File:
    """One YAML file under the eye: its text, its data, and where things stand in it."""

    def __init__(self, path: Path) -> None:
        self.path, self.text = path, ""
        self.data: Any = None

    def fault(
        self, path: Sequence[str | int], message: str, hint: str = "", *, key: bool = False, level: str = "error"
    ) -> Fault:
        """A fault at a place of the data."""
        line, column = document.locate(self.text, path, key=key) if self.text else (1, 1)
        return Fault(f"{self.path}:{line}:{column}", message, hint, level)


def files(path: Path) -> list[Path]:
    """The YAML files of a folder, or the one file."""
    if not path.is_dir():
        return [path]
    return sorted(
        one
        for one in path.rglob("*")
        if (one.suffix == compiler.SUFFIX or compiler.misnamed(one))
        and not any(part.startswith(".") for part in one.parts[len(path.parts) :])
    )
