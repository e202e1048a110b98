"""Files in the user's own folder that nobody else may read: whole at any moment, written by one program at a time."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from .errors import CallError
from .folders import folder

Json = dict[str, Any]
PATIENCE = 30.0  # seconds to wait for another program that is writing
READ = 2.0  # seconds to wait for others that are reading
MODES = os.name == "posix"  # elsewhere a file has no mode that says who may read it
OTHERS = stat.S_IRWXG | stat.S_IRWXO
_PLACE = re.compile(r" \((?:at line (\d+), column (\d+)|at end of document)\)$")
_KEY = re.compile(r"(?P<blank>[ \t]*)(?:\[(?P<head>[^\[\]]+)\]|(?P<key>[^=\[\]#]+)=)")
_MOVE = "set DECLAREST_CONFIG_DIR to a folder that can be written"


def path(name: str) -> str:
    """The place of a file."""
    return os.path.join(folder("config"), name)


def text(name: str) -> str:
    """What stands in a file; nothing where there is none. Raises CallError where others can read it.

    The mark that some editors put in front is left out.
    """
    place = path(name)
    try:
        if MODES and os.stat(place).st_mode & OTHERS:
            raise CallError(f"{place} can be read by others", hint=f"chmod 600 {place}")
        _demand_own(folder("config"))
        with open(place, "rb") as file:
            return _decoded(file.read(), place)
    except FileNotFoundError:
        return ""
    except OSError as error:
        hint = f"it must be yours: see ls -l {place}" if isinstance(error, PermissionError) else ""
        raise CallError(f"can't read {place}: {error.strerror}", hint=hint) from None


def _decoded(content: bytes, place: str) -> str:
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(errors="replace").split("\n")
        message = f"{place}:{len(before)}:{len(before[-1]) + 1} is no text in UTF-8"
        raise CallError(message, hint="save it in that encoding") from None


def _demand_own(place: str) -> None:
    """Refuse a folder in which others could put files of theirs in the place of ours."""
    mode = os.stat(place).st_mode
    if os.name == "posix" and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CallError(f"others can write in {place}", hint=f"chmod 700 {place}")


def parsed(content: str, place: str) -> Json:
    """TOML as data. Raises CallError with the line and the column where it is none."""
    import tomllib

    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise _misfit(content, place, str(error)) from None


def _misfit(content: str, place: str, said: str) -> CallError:
    """The error of a text that is no TOML. What stands in it is not repeated, since it may be a secret."""
    lines = content.split("\n")
    found = _PLACE.search(said)
    line, column = (int(found[1]), int(found[2])) if found and found[1] else (len(lines), len(lines[-1]) + 1)
    where = f"{place}:{line}:{column}"
    what = said[: found.start()] if found else said
    head = lines[line - 1].partition("#")[0].strip()
    if re.match(r"Cannot declare .* twice", what) and head.startswith("["):
        return CallError(f"{where}: {head} stands twice", hint="rename one of the two, or remove it")
    if re.match(r"Cannot (overwrite a value|mutate|declare)", what):
        return CallError(f"{where}: one name stands twice", hint="rename one of the two, or remove it")
    hint = "each profile stands under a line [service.name] of its own"
    return CallError(f"{where} is no TOML: {what}", hint=hint)


def position(content: str, keys: list[str]) -> str:
    """The line and the column of a key in a text of TOML, as `:line:column`; nothing where it is not found."""
    head: list[str] = []
    for number, line in enumerate(content.split("\n"), 1):
        found = _KEY.match(line)
        if not found:
            continue
        names = _names(found["head"] or found["key"])
        head, whole = (names, names) if found["head"] else (head, [*head, *names])
        if whole[: len(keys)] == keys or (found["key"] and keys[: len(whole)] == whole):
            return f":{number}:{found.end('blank') + 1}"
    return ""


def _names(text: str) -> list[str]:
    """The parts of a key such as `a."b.c"`; none where it is no key."""
    try:
        data: Any = parsed(f"{text} = 0", "")
    except CallError:
        return [""]
    found = []
    while isinstance(data, dict):
        name, data = next(iter(data.items()))
        found.append(name)
    return found


@contextmanager
def writing() -> Iterator[None]:
    """The right to write, among all programs of this machine."""
    make_folder()
    release = lock("files", PATIENCE)
    if release is None:
        raise CallError(f"another program holds the files in {folder('config')}", hint="try again when it has ended")
    try:
        yield
    finally:
        release()


def lock(name: str, patience: float) -> Callable[[], None] | None:
    """A lock that ends with its process, whatever happens to that: an open transaction of SQLite.

    None where somebody else has it for longer than `patience`, in seconds.
    """
    import hashlib
    import sqlite3

    mark = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).hexdigest()
    make_folder()
    held = None
    try:
        held = sqlite3.connect(path(f".{mark}.lock"), timeout=patience, isolation_level=None, check_same_thread=False)
        held.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        if held is not None:
            held.close()
        if "locked" in str(error):
            return None
        raise CallError(f"can't write in {folder('config')}: {error}", hint=_MOVE) from None
    return held.close


def make_folder() -> None:
    """The folder, which is its owner's alone. One that somebody named and uses for other things stays as it is.

    Raises CallError where it can't be made, or where others could put files of theirs in the place of ours.
    """
    place = folder("config")
    try:
        os.makedirs(place, mode=stat.S_IRWXU, exist_ok=True)
        mode = os.stat(place).st_mode
        if not MODES or not mode & OTHERS:
            return
        if all(_ours(name) for name in os.listdir(place)):
            os.chmod(place, stat.S_IRWXU)
        else:
            _demand_own(place)
    except OSError as error:
        raise CallError(f"can't make the folder {place}: {error.strerror}", hint=_MOVE) from None


def _ours(name: str) -> bool:
    """Whether a file of the folder is one that this program puts there."""
    return name == "methods" or name.endswith((".toml", ".lock", ".part"))


def write(name: str, content: str) -> None:
    """Write a file whole: what stood there before stays until the new one is on the disk."""
    place = os.path.realpath(path(name))  # it may be a link into a folder that is kept elsewhere
    part = f"{place}.part"
    try:
        with suppress(FileNotFoundError):
            os.unlink(part)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _replace(part, place)
        with suppress(OSError):  # where a folder can't be opened it needs no flushing
            handle = os.open(os.path.dirname(place), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    except OSError as error:
        with suppress(OSError):
            os.unlink(part)
        raise CallError(f"can't write {place}: {error.strerror}", hint=_MOVE) from None


def _replace(part: str, place: str) -> None:
    """Put a file into the place of another. Windows refuses that while somebody reads the other, which ends soon."""
    end = time.monotonic() + READ
    while True:
        try:
            os.replace(part, place)
        except PermissionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return
