"""Standard streams: the answer on one, everything said to a person on the other; errors shown, never thrown."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import INTERRUPTED, CallError, InvalidArguments, RunnerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..errors import Problem

_ENOUGH = {errno.EPIPE} if os.name == "posix" else {errno.EPIPE, errno.EINVAL}  # what a reader who has gone comes to
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_RED, _YELLOW, _DIM, _END = "\033[31m", "\033[33m", "\033[2m", "\033[0m"


def _coloured() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _painted(colour: str, text: str) -> str:
    return f"{colour}{text}{_END}" if _coloured() else text


@contextmanager
def _writing() -> Iterator[None]:
    """Standard output that can't be written: a reader who has had enough is no error, a full disk is one."""
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in the buffer goes nowhere
        if error.errno in _ENOUGH:
            raise BrokenPipeError(*error.args) from None
        raise CallError(f"can't write the answer: {(error.strerror or str(error)).lower()}") from None


def lost(error: OSError) -> int:
    """The exit code of a line whose answer could not be written."""
    try:
        with _writing():
            raise error
    except BrokenPipeError:
        return 0
    except CallError as told:
        return fail(told)


def answer(text: str) -> None:
    """Write a part of the answer."""
    with _writing():
        sys.stdout.write(text)


def answer_bytes(content: bytes) -> None:
    """Write an answer that is no text."""
    with _writing():
        sys.stdout.flush()
        sys.stdout.buffer.write(content)


def flush() -> None:
    """See the answer off."""
    with _writing():
        sys.stdout.flush()


def say(text: str) -> None:
    """Say something to the person."""
    sys.stderr.write(f"{text}\n")


def note(text: str) -> None:
    """Say something that may be passed over."""
    say(_painted(_DIM, text))


def warn(problems: Iterable[Problem | str]) -> None:
    """Say what is legal and yet looks wrong."""
    for problem in problems:
        say(f"{_painted(_YELLOW, 'warning:')} {plain(str(problem))}")


def plain(text: str) -> str:
    """A text without the letters that would steer a terminal: a service may have sent it."""
    return _STEERING.sub("\ufffd", text)


def fail(error: RunnerError, *, as_json: bool = False, who: str = "") -> int:
    """Show an error, and give its exit code. `who` is the profile that met it, where there are several."""
    if as_json:
        say(json.dumps({**({"profile": who} if who else {}), "error": error.as_dict()}, ensure_ascii=False))
        return error.exit_code
    head = f"{who}: {_painted(_RED, 'error:')}" if who else _painted(_RED, "error:")
    if isinstance(error, InvalidArguments):
        say(f"{head} nothing was sent, {error.method or 'the call'} does not take this:")
        for problem in error.problems:
            say(f"  {plain(str(problem))}")
        return error.exit_code
    say(f"{head} {plain(str(error))}")
    return error.exit_code


def stopped(what: str, *, as_json: bool = False) -> int:
    """Say that the person has stopped it, and what may have been done all the same."""
    text = f"interrupted: {what}" if what else "interrupted"
    error = RunnerError(text)
    error.kind, error.exit_code = "interrupted", INTERRUPTED
    if as_json:
        return fail(error, as_json=True)
    say(text)
    return INTERRUPTED


def width() -> int:
    """The width of the terminal that the answer goes to, 0 where it goes elsewhere."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
