"""A folder of YAML files made into an index: read, checked by the grammar, written where `index` finds it.

A broken file becomes a row of its own and never hides the others.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import document, index, precheck
from .errors import SpecError, did_you_mean, nearest
from .folders import built_in

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
MOST_LISTED = 16
SUFFIX = ".yaml"
SERVICE, OVERLAY = "_service.yaml", ".overlay.yaml"
_DATA = frozenset({"default", "examples", "enum", "const", "send", "preset"})
_SETTLED = 50_000_000  # nanoseconds after which a directory's time will not be given to a second change


@lru_cache
def grammar(name: str) -> Json:
    """One of the schemas of the format, with what it borrows from its sisters."""
    folder = Path(built_in("schemas"))
    text = (folder / f"{name}.json").read_text(encoding="utf-8")
    schema: Json = json.loads(text.replace("method.json#/", "#/"))
    if name != "method" and "method.json#/" in text:
        schema["$defs"] = {**grammar("method")["$defs"], **schema.get("$defs", {})}
    return schema


@lru_cache
def _fits(kind: str) -> precheck.Check:
    return precheck.compiled(grammar(kind))


def read(path: Path, kind: str, shown: str) -> Json:
    """A file's data, checked by the grammar of its kind. Raises SpecError with line, column and the fix."""
    text = _text(path, shown)
    return checked(document.load(text, shown), kind, text, shown)


def _text(path: Path, shown: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SpecError("this is not UTF-8 text", where=shown, hint="save it as UTF-8") from None
    except OSError as error:
        raise SpecError(f"can't be read: {error.strerror}", where=shown) from None


def checked(data: Any, kind: str, text: str, shown: str) -> Json:
    """The data, where the grammar takes it; else a SpecError about its first misfit."""
    misfits = faults(data, kind)
    if misfits:
        path, message, hint, at_key = misfits[0]
        line, column = document.locate(text, path, key=at_key) if text else (1, 1)
        raise SpecError(message, where=f"{shown}:{line}:{column}", hint=hint)
    return data  # type: ignore[no-any-return]


def faults(data: Any, kind: str) -> list[tuple[list[str | int], str, str, bool]]:
    """Every misfit of a document: path, what is wrong, the fix, whether the key is meant or the value."""
    if _fits(kind)(data):
        return list(_bad_patterns(data, kind))
    from .validation import misfits

    found = []
    for error in misfits(data, grammar(kind)):
        path: list[str | int] = list(error.absolute_path)
        if error.validator == "additionalProperties" and isinstance(error.instance, dict):
            known = error.schema.get("properties", {})
            for key in error.instance:
                if key not in known:
                    near = nearest(key, known)
                    hint = did_you_mean(near) or _stray(key, known)
                    found.append(([*path, key], f"the key {key!r} is not known", hint, True))
        else:
            found.append((path, *_told(error), False))
    return found


def _stray(key: str, known: Json) -> str:
    """The fix of a key that resembles none: often it is the rest of a text that holds a comma."""
    if " " in key:
        return "if it belongs to the text before it, put that text in quotes"
    names = sorted(known)
    return f"known here: {', '.join(names[:MOST_LISTED])}{'…' if len(names) > MOST_LISTED else ''}"


def _bad_patterns(data: Json, kind: str) -> Iterator[tuple[list[str | int], str, str, bool]]:
    """The patterns of a method or a service that are no regular expressions."""
    places = {"method": ("params", "patterns", "rules", "returns", "warn"), "service": ("types", "profile", "common")}
    found = [*_patterns([], {name: data.get(name) for name in places.get(kind, ())})]
    found += _patterns(["errors"], data.get("errors"), "message")
    for name, patch in data.get("variants", {}).items():
        found += _patterns(["variants", name, "errors"], patch.get("errors"), "message")
    for path, form, at_key in found:
        try:
            precheck.form_of(form)
        except re.error as error:
            yield path, f"{form!r} is no regular expression: {error}", "", at_key


def _patterns(path: list[str | int], part: Any, word: str = "pattern") -> Iterator[tuple[list[str | int], str, bool]]:
    """Each pattern in a part of a document, its path, and whether it is a key; `word` is the key of a pattern."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        if key in _DATA:
            continue
        if key == word and isinstance(value, str):
            yield [*path, key], value, False
        if key in {"patterns", "patternProperties"} and isinstance(value, dict):
            yield from (([*path, key, form], form, True) for form in value)
        yield from _patterns([*path, key], value, word)


def _told(error: Any) -> tuple[str, str]:
    """What is wrong with a value, and the fix."""
    where = ".".join(map(str, error.absolute_path)) or "the file"
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"{where} lacks {', '.join(missing)}", f"add {missing[0]}: …"
    if error.validator == "enum":
        near = nearest(str(error.instance), map(str, error.validator_value))
        known = ", ".join(map(str, error.validator_value))
        hint = f"did you mean {near[0]}?" if near else f"one of {known}"
        return f"{where} can't be {json.dumps(error.instance, ensure_ascii=False)}", hint
    if error.validator == "type":
        wanted = error.validator_value if isinstance(error.validator_value, str) else " or ".join(error.validator_value)
        return f"{where} must be {wanted}, not {json.dumps(error.instance, ensure_ascii=False, default=str)[:60]}", ""
    if error.validator == "const":
        return f"{where} must be {error.validator_value!r}, not {error.instance!r}", ""
    if error.validator == "anyOf" and error.context:
        return _told(max(error.context, key=lambda part: len(part.absolute_path)))
    return f"{where}: {error.message}", ""


class _Writer:
    """The rows and values of an index while they are gathered."""

    def __init__(self, root: str, old: index.Tree | None) -> None:
        self.root, self.old = root, old
        self.rows: list[tuple[tuple[str, ...], frozenset[str]]] = []
        self.blobs = bytearray()
        self.kept = {cells[10]: cells for cells in old.rows("M")} if old else {}
        self.seen: dict[tuple[str, str], str] = {}

    def row(self, *cells: object, words: str = "") -> None:
        """A row of the table, and the words by which it is found."""
        clean = tuple(str(cell).replace("\t", " ").replace("\n", " ") for cell in cells)
        self.rows.append((clean, frozenset(words.lower().split())))

    def value(self, data: object) -> tuple[int, int]:
        return self.text(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())

    def text(self, text: bytes) -> tuple[int, int]:
        offset = len(self.blobs)
        self.blobs += text
        return offset, len(text)

    def method(self, cells: list[str], data: Json, path: Path) -> None:
        """A method's row; a name that stands in two files of one folder is an error of the second."""
        name = (cells[1], cells[2])
        if name in self.seen:
            raise SpecError(f"{cells[3]} is already described in {self.seen[name]}", where=str(path))
        self.seen[name] = cells[10]
        self.row(*cells, words=" ".join([cells[3], data["summary"], *data.get("params", {})]))

    def broken(self, service: str, file: str, error: SpecError) -> None:
        self.row("X", service, file, str(error))

    def table(self) -> bytes:
        """The rows as lines, in the order of their bytes: names are found by halving, words by their places."""
        lines = sorted(("\t".join(cells).encode(errors="backslashreplace"), words) for cells, words in self.rows)
        places: dict[str, list[str]] = {}
        at = 0
        for line, words in lines:
            for word in words:
                places.setdefault(word, []).append(str(at))
            at += len(line) + 1
        for word, found in sorted(places.items()):
            offset, length = self.text(" ".join(found).encode())
            lines.append((f"W\t{word}\t{offset}\t{length}".encode(errors="backslashreplace"), frozenset()))
        return b"".join(line + b"\n" for line, _ in sorted(lines))


def build(root: str, cache: str, version: str, old: index.Tree | None = None) -> index.Tree:
    """The index of a root, written to the cache where that can be written. What did not change is not read again."""
    writer = _Writer(root, old)
    now = time.time_ns()
    times: list[str] = []
    folders: list[str] = []
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith((".", "__")))
        changed = os.stat(folder).st_mtime_ns
        times.append(str(changed if now - changed > _SETTLED else 0))
        folders.append(Path(folder).relative_to(root).as_posix())
        service = folders[-1].split("/")[0]
        for name in sorted(files):
            if service == "." or name.startswith("."):
                continue
            path = Path(folder, name)
            if path.suffix == SUFFIX:
                _add(writer, service, path)
            elif misnamed(path):
                writer.broken(service, str(path.relative_to(root)), misnomer(path))
    writer.row("D", " ".join(times), *folders)
    table = writer.table()
    content = index.head(root, version, len(writer.blobs), len(table)) + table + bytes(writer.blobs)
    _save(index.place(root, cache), content)
    return index.Tree(root, content)


def misnamed(path: Path) -> bool:
    """Whether a file is YAML by a name that is not looked for, such as `.yml`."""
    return path.suffix != SUFFIX and path.suffix.lower() in {SUFFIX, ".yml"}


def misnomer(path: Path) -> SpecError:
    """The error of such a file."""
    return SpecError(
        f"a file whose name ends with {path.suffix} is not read", where=str(path), hint=f"name it {path.stem}{SUFFIX}"
    )


def _save(path: str, content: bytes) -> None:
    """Put a file in its place at once; a disk that can't be written is no error, the index is only a cache."""
    draft = f"{path}.{os.getpid()}-{time.monotonic_ns()}"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(draft, "xb") as file:
            file.write(content)
        os.replace(draft, path)
    except OSError:
        with suppress(OSError):
            os.remove(draft)


def _add(writer: _Writer, service: str, path: Path) -> None:
    file = path.relative_to(writer.root).as_posix()
    times = index.stamp(str(path))
    common = True
    try:
        if any(part.startswith("_") for part in Path(file).parts):
            _add_part(writer, service, path, file)
        elif path.name.endswith(OVERLAY):
            _add_overlay(writer, service, path, file)
        else:
            _add_method(writer, service, path, file, times)
            common = False
    except SpecError as error:
        writer.broken(service, file, error)
    if common:  # a broken method as well: it may be mended in place
        writer.row("P", *times, file)


def _add_part(writer: _Writer, service: str, path: Path, file: str) -> None:
    """The service file, or a file of types or dialects that it was split into."""
    if path.name == SERVICE:
        data = read(path, "service", str(path))
        if data["service"] != service:
            raise SpecError(f"the service {data['service']!r} stands in a folder called {service!r}", where=str(path))
        types, dialects = data.pop("types", {}), data.pop("dialects", {})
        variants = ",".join(data.get("variants", {}))
        writer.row("S", service, variants, *writer.value(data), file, data["title"])
    else:
        whole = read_part(path, str(path))
        types, dialects = whole.get("types", {}), whole.get("dialects", {})
    for name, node in types.items():
        writer.row("T", service, name, *writer.value(node))
    for dialect, block in dialects.items():
        _add_dialect(writer, service, dialect, block, path)


def _add_dialect(writer: _Writer, service: str, dialect: str, block: Json, path: Path) -> None:
    """What all commands of a dialect share, and a row for each name of each of them."""
    commands = block.pop("commands", {})
    if block:
        writer.row("B", service, dialect, *writer.value(block))
    for first, command in commands.items():
        does = next((word for word in ("call", "skeleton", "link", "print") if word in command), "call")
        target = command.get("of" if does in {"link", "print"} else does, "")
        place = writer.value({**command, "dialect": dialect, "alias": first})
        for alias in (first, *command.get("also", ())):
            name = (f"{service} {dialect}", alias.lower())
            if name in writer.seen:
                raise SpecError(f"the command {alias} stands twice in {dialect}", where=str(path))
            writer.seen[name] = alias
            writer.row("A", service, alias.lower(), alias, dialect, does, target, *place, words=alias)


def read_part(path: Path, shown: str) -> Json:
    """A file that holds a piece of a service: `types:` or `dialects:`."""
    text = _text(path, shown)
    data = document.load(text, shown)
    whole = {"spec": 1, "service": "x", "title": "x", "auth": {"x": {"base": "x"}}}
    if not isinstance(data, dict) or not data or set(data) - {"types", "dialects"}:
        raise SpecError("a part of a service holds `types:` or `dialects:`", where=f"{shown}:1:1")
    checked({**whole, **data}, "service", text, shown)
    return data


def _add_overlay(writer: _Writer, service: str, path: Path, file: str) -> None:
    for glob, patch, lang in overlay(read(path, "overlay", str(path))):
        summary = str(patch.get("summary") or "")
        if set("*?[") & set(glob):
            writer.row("G", service, lang, glob.lower(), *writer.value(patch), file)
            continue
        writer.row("O", service, lang, glob.lower(), *writer.value(patch), file, summary, words=summary)


def overlay(data: Json) -> Iterator[tuple[str, Json, str]]:
    """Each glob of an overlay with its patch and language."""
    lang = data.get("lang", "-")
    for glob, patch in data.get("methods", {}).items():
        yield glob, patch, lang
    targets = data.get("target", [])
    for glob in [targets] if isinstance(targets, str) else targets:
        yield glob, data["patch"], lang


def _add_method(writer: _Writer, service: str, path: Path, file: str, times: tuple[int, int]) -> None:
    cells = writer.kept.get(file)
    if writer.old and cells and (int(cells[6]), int(cells[7])) == times:
        text = writer.old.text(int(cells[8]), int(cells[9]))
        cells[8], cells[9] = map(str, writer.text(text))
        writer.method(cells, json.loads(text), path)
        return
    data = read(path, "method", str(path))
    name = data["method"] + (f"@{data['variant']}" if "variant" in data else "")
    marks = ("r" if "path" in data.get("request", {}) else "") + ("d" if data.get("deprecated") else "")
    place = writer.value(data)
    cells = ["M", service, name.lower(), name, data["effect"], marks, *map(str, (*times, *place)), file]
    writer.method([*cells, data["summary"]], data, path)
