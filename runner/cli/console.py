"""Standard streams: the answer on one, everything said to a person on the other; errors shown, never thrown."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from ..errors import InvalidArguments, RunnerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..errors import Problem

_RED, _YELLOW, _DIM, _END = "\033[31m", "\033[33m", "\033[2m", "\033[0m"


def _coloured() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _painted(colour: str, text: str) -> str:
    return f"{colour}{text}{_END}" if _coloured() else text


def answer(text: str) -> None:
    """Write a part of the answer."""
    sys.stdout.write(text)


def say(text: str) -> None:
    """Say something to the person."""
    sys.stderr.write(f"{text}\n")


def note(text: str) -> None:
    """Say something that may be passed over."""
    say(_painted(_DIM, text))


def warn(problems: Iterable[Problem | str]) -> None:
    """Say what is legal and yet looks wrong."""
    for problem in problems:
        say(f"{_painted(_YELLOW, 'warning:')} {problem}")


def fail(error: RunnerError, *, as_json: bool = False) -> int:
    """Show an error, and give its exit code."""
    if as_json:
        say(json.dumps({"error": error.as_dict()}, ensure_ascii=False))
        return error.exit_code
    head = _painted(_RED, "error:")
    if isinstance(error, InvalidArguments):
        say(f"{head} nothing was sent, {error.method or 'the call'} does not take this:")
        for problem in error.problems:
            say(f"  {problem}")
        return error.exit_code
    first, *rest = str(error).split("\n")
    say("\n".join([f"{head} {first}", *rest]))
    return error.exit_code


def width() -> int:
    """The width of the terminal that the answer goes to, 0 where it goes elsewhere."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
