"""Questions to a person at a terminal. What is secret is not shown while it is typed."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from ..errors import CallError
from . import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Found = TypeVar("Found")
TRIES = 3


def possible() -> bool:
    """Whether somebody is there to be asked."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr.isatty())


def line(question: str, *, secret: bool = False) -> str:
    """What the person types, without blanks around it. Raises CallError where they end it instead."""
    if secret:
        from getpass import getpass

        try:
            return getpass(f"{question} (it is not shown): ", sys.stderr).strip()
        except EOFError:
            text = ""
    else:
        sys.stderr.write(f"{question}: ")
        sys.stderr.flush()
        text = sys.stdin.readline()
    if not text:
        sys.stderr.write("\n")
        raise CallError("nothing was given, and nothing is saved")
    return text.strip()


def until(take: Callable[[str], Found], question: str, *, secret: bool = False) -> Found:
    """What `take` makes of what the person types; what it does not take is told and asked for again, twice."""
    for last in (False,) * (TRIES - 1) + (True,):
        try:
            return take(line(question, secret=secret))
        except CallError as error:
            if last or str(error).startswith("nothing was given"):
                raise
            console.fail(error)
    raise AssertionError  # pragma: no cover - the last time returns or raises


def yes(question: str) -> bool:
    """Whether the person says yes; anything else is no."""
    return line(f"{question} [y/N]").lower() in {"y", "yes", "д", "да"}


def choice(question: str, answers: Sequence[str]) -> int:
    """The place of the answer that the person chooses; the first one where they only press Enter."""
    for count, text in enumerate(answers, 1):
        console.say(f"  {count}  {text}")

    def place(text: str) -> int:
        if text and (not text.isdecimal() or not 1 <= int(text[:9]) <= len(answers)):
            raise CallError(f"{text!r} is not among them", hint=f"a number from 1 to {len(answers)}")
        return int(text or 1) - 1

    return until(place, f"{question} [1]")


@contextmanager
def unseen(file: int) -> Iterator[None]:
    """A terminal that does not show what is typed, while something else is waited for too."""
    if not os.isatty(file):
        yield
        return
    try:
        import termios
    except ImportError:  # a system that has no such terminals
        yield
        return
    before = termios.tcgetattr(file)
    quiet = termios.tcgetattr(file)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(file, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)
