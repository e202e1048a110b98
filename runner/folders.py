"""Places on the disk that belong to the user: settings, cache, state."""

from __future__ import annotations

import os
import sys

APP = "declarest"
_XDG = {"config": ".config", "cache": ".cache", "state": ".local/state"}


def folder(kind: str) -> str:
    """The user's folder of a kind: `config`, `cache` or `state`. It may not exist.

    On Linux this is what platformdirs answers, without the time that importing it takes; completion of a
    name must be faster than that. A test holds the two together.
    """
    root = os.environ.get(f"DECLAREST_{kind.upper()}_DIR")
    if root:
        return root
    if sys.platform == "linux":
        base = os.environ.get(f"XDG_{kind.upper()}_HOME", "").strip()
        return os.path.join(base or os.path.expanduser(f"~/{_XDG[kind]}"), APP)
    import platformdirs

    return str(getattr(platformdirs, f"user_{kind}_dir")(APP, appauthor=False))


def built_in(what: str) -> str:
    """The folder of `methods` or `schemas` that came with the package, or stands beside it in a checkout."""
    here = os.path.dirname(os.path.abspath(__file__))
    packed = os.path.join(here, "_data", what)
    return packed if os.path.isdir(packed) else os.path.join(os.path.dirname(here), what)


def search_path(first: str | None = None) -> list[str]:
    """The folders of methods, those that win first; only those that exist, each once.

    A folder given by name, `DECLAREST_METHODS` (several are parted as in PATH), `./methods`, the user's own,
    those of installed packages, the built-in one.
    """
    given = [first] if first else []
    given += filter(None, os.environ.get("DECLAREST_METHODS", "").split(os.pathsep))
    given += ["methods", os.path.join(folder("config"), "methods"), *_packs(), built_in("methods")]
    found = {os.path.realpath(path): None for path in given if os.path.isdir(path)}
    return list(found)


def _packs() -> list[str]:
    """The folders that installed packages bring, from the entry points of the group `declarest.methods`.

    Reading them imports much, so the answer is kept for as long as no folder of the import path changes.
    """
    times = "\t".join(str(_time(path)) for path in sys.path)
    kept = os.path.join(folder("cache"), "packs")
    try:
        with open(kept, encoding="utf-8") as file:
            first, *found = file.read().splitlines()
        if first == times:
            return found
    except (OSError, ValueError):
        pass
    found = _entry_points()
    try:
        os.makedirs(folder("cache"), mode=0o700, exist_ok=True)
        with open(f"{kept}.{os.getpid()}", "w", encoding="utf-8") as file:
            file.write("\n".join([times, *found]))
        os.replace(f"{kept}.{os.getpid()}", kept)
    except OSError:
        pass
    return found


def _time(path: str) -> int:
    try:
        return os.stat(path or ".").st_mtime_ns if path else 0
    except OSError:
        return 0


def _entry_points() -> list[str]:
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    found = []
    for entry in entry_points(group="declarest.methods"):
        try:
            spec = find_spec(entry.value)
        except Exception:  # noqa: BLE001 - a package that can't be imported brings nothing, and breaks nothing
            spec = None
        found += spec.submodule_search_locations or [] if spec else []
    return found
