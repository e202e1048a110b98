"""A command line of another tool: its options as the dialect's file writes them, and as a line is read by them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
EVERY = "*"
EMPTY = "--empty"  # where an option leads that says whether a structure comes without hints


def command(own: Json, shared: Json) -> Json:
    """A command with what its dialect shares; `flags` is from each single option to what it gives.

    An option of the command's own takes the place of the dialect's, letter by letter.
    """
    read = shared.get("read", {})
    flags = {**_flags(shared.get("flags", {}), read, own=False), **_flags(own.get("flags", {}), read, own=True)}
    if not {"skeleton", "print"} & own.keys():
        flags = {flag: meant for flag, meant in flags.items() if meant.get("to") != EMPTY}
    rest = {name: value for name, value in shared.items() if name not in {"flags", "read"}}
    return {**rest, **own, "flags": flags}


def _flags(written: Json, read: Json, *, own: bool) -> Json:
    """Each option by itself: `--task -t: taskId` is two of them, read in the form that the dialect has for `--task`."""
    found: Json = {}
    for names, meant in written.items():
        options = names.split()
        given = {"to": meant} if isinstance(meant, str) else meant
        form = next((read[option] for option in options if option in read), read.get(EVERY))
        whole = {**({"read": form} if form else {}), **given, "option": options[0], "own": own}
        found.update(dict.fromkeys(options, whole))
    return found
