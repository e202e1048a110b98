"""`new`: a starting file for a method of one's own, and for its service where there is none yet."""

from __future__ import annotations

import re
from pathlib import Path

from .. import lint, skeleton
from ..catalog import Catalog
from ..compiler import SERVICE
from ..errors import CallError
from ..folders import built_in, folder
from . import console
from . import help as pages
from .quick import COMMANDS, RESERVED
from .words import general


def new(argv: list[str]) -> int:
    """`new SERVICE METHOD [--methods DIR]`: write the file, into ./methods if that is there, else the user's folder."""
    line = general(argv)
    if line.on("--help") or len(line.rest) != 2:  # noqa: PLR2004 - service and method
        console.answer(pages.command("new"))
        return 0 if line.on("--help") or not line.rest else 2
    line.only("new", "--methods")
    service, name = line.rest
    if service in {*COMMANDS, *RESERVED}:
        raise CallError(f"{service!r} is a command of declarest and can't be a service", hint="take another name")
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", service):
        raise CallError(f"{service!r} can't be a service", hint="lower-case letters, digits, - and _")
    if not re.fullmatch(r"\w+([.-]\w+)*(@[a-z0-9]+)?", name, re.ASCII):
        raise CallError(f"{name!r} can't be a method", hint="words parted by dots, such as note.add")
    root = Path(line.get("--methods") or ("methods" if Path("methods").is_dir() else Path(folder("config"), "methods")))
    known = Catalog(str(root))
    variant = name.partition("@")[2]
    if variant and variant not in known.variants(service):
        listed = ", ".join(known.variants(service)) or "none"
        raise CallError(f"{service} has no variant {variant!r}", hint=f"it has {listed}")
    if service not in known.services():
        _write(root / service / SERVICE, skeleton.starting_service(service, _schema("service")))
    path = root / service / lint.proper_place(name)
    _write(path, skeleton.starting_method(service, name, _schema("method")))
    folder_of = f" --methods {root}" if "--methods" in line.options else ""
    console.note(f"edit it, then: declarest check {path}{folder_of}")
    console.note(f"               declarest {service} {name} id=1 --sandbox{folder_of}")
    return 0


def _schema(name: str) -> str:
    return Path(built_in("schemas"), f"{name}.json").as_posix()


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CallError(f"{path} is there already", hint="edit it, or take another name") from None
    except OSError as error:
        raise CallError(f"can't write {path}: {(error.strerror or str(error)).lower()}") from None
    console.answer(f"{path}\n")
