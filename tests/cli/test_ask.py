"""Questions at a terminal of the test's own, in this process."""

from __future__ import annotations

import getpass
import os
import pty
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from runner.cli import ask
from runner.errors import CallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Types at a terminal that is standard input and standard error."""
    here, there = pty.openpty()
    with os.fdopen(there) as source, os.fdopen(os.dup(there), "w") as shown:
        monkeypatch.setattr(sys, "stdin", source)
        monkeypatch.setattr(getpass, "getpass", lambda *_: source.readline() or _ended())

        def typed(text: str) -> None:
            monkeypatch.setattr(sys, "stderr", shown)  # here: the streams of a test are set between its parts
            os.write(here, text.encode())

        yield typed
    os.close(here)


def _ended() -> str:
    raise EOFError


def test_somebody_is_there_at_a_terminal_alone(types: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    types("")
    assert ask.possible()
    monkeypatch.setattr(sys, "stdin", None)
    assert not ask.possible()


@pytest.mark.parametrize("secret", [False, True])
def test_what_is_typed_is_taken_and_an_end_is_an_end(secret: bool, types: Callable[[str], None]) -> None:
    types(" a b \n\x04")
    assert ask.line("What", secret=secret) == "a b"
    with pytest.raises(CallError, match="nothing was given, and nothing is saved"):
        ask.line("What", secret=secret)


def test_what_does_not_fit_is_asked_for_again_twice(types: Callable[[str], None]) -> None:
    types("9\n0\nx\n")
    with pytest.raises(CallError, match="'x' is not among them; a number from 1 to 2"):
        ask.choice("Number", ["a", "b"])
    types("5\n2\n\n")
    assert ask.choice("Number", ["a", "b"]) == 1
    assert ask.choice("Number", ["a", "b"]) == 0
    types("\x04")
    with pytest.raises(CallError, match="nothing was given"):
        ask.choice("Number", ["a", "b"])


@pytest.mark.parametrize(("text", "answer"), [("y", True), ("ДА", True), ("", False), ("no", False)])
def test_only_a_yes_is_a_yes(text: str, answer: bool, types: Callable[[str], None]) -> None:
    types(f"{text}\n")
    assert ask.yes("Really?") is answer


def test_a_terminal_does_not_show_what_is_pasted_meanwhile(
    types: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sys.stdin.fileno()
    with ask.unseen(file):
        assert not termios.tcgetattr(file)[3] & termios.ECHO
    assert termios.tcgetattr(file)[3] & termios.ECHO
    monkeypatch.setitem(sys.modules, "termios", None)
    with ask.unseen(file):
        assert termios.tcgetattr(file)[3] & termios.ECHO
