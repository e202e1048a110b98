from __future__ import annotations

import errno
import io
import json
import sys
from pathlib import Path

import pytest

from runner.cli import console
from runner.errors import CallError, InvalidArguments, Problem


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def screened(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Standard output and standard error as one terminal."""
    one = Screen()
    monkeypatch.setattr(sys, "stdout", one)
    monkeypatch.setattr(sys, "stderr", one)
    return one


def test_the_answer_and_what_is_said_have_a_stream_each(capsys: pytest.CaptureFixture[str]) -> None:
    console.answer("one")
    console.answer("two\n")
    console.say("three")
    console.note("four")
    console.warn([Problem("warning", "a.b", "is odd", "mend it"), "five"])
    assert capsys.readouterr() == ("onetwo\n", "three\nfour\nwarning: a.b: is odd; mend it\nwarning: five\n")


def test_a_terminal_shows_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screened(monkeypatch)
    console.note("aside")
    console.warn(["careful"])
    console.fail(CallError("wrong"))
    assert screen.getvalue() == "\033[2maside\033[0m\n\033[33mwarning:\033[0m careful\n\033[31merror:\033[0m wrong\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_forbidden(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screened(monkeypatch)
    monkeypatch.setenv(name, value)
    console.note("aside")
    assert screen.getvalue() == "aside\n"


def test_an_error_is_a_sentence_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert console.fail(CallError("wrong", hint="do\n  this")) == 2
    assert capsys.readouterr().err == "error: wrong; do\n  this\n"


def test_misfits_are_told_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [Problem("error", "a", "is wrong", "mend it"), Problem("error", "", "is \x1b[2Jodd")]
    assert console.fail(InvalidArguments(problems, method="note.add")) == 2
    assert capsys.readouterr().err == (
        "error: nothing was sent, note.add does not take this:\n  a: is wrong; mend it\n  is \ufffd[2Jodd\n"
    )
    console.fail(InvalidArguments(problems))
    assert capsys.readouterr().err.startswith("error: nothing was sent, the call does not take this:\n")


def test_an_error_as_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert console.fail(CallError("неверно", hint="a\nb", method="note.add"), as_json=True) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "неверно" in said
    assert json.loads(said) == {
        "error": {"kind": "usage", "code": "CallError", "message": "неверно", "hint": "a\nb", "method": "note.add"}
    }


def test_a_stop_has_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert console.stopped("") == 130
    assert console.stopped("it may be done", as_json=True) == 130
    first, second = capsys.readouterr().err.splitlines()
    assert first == "interrupted"
    assert json.loads(second)["error"]["message"] == "interrupted: it may be done"


def test_the_width_is_that_of_a_terminal_and_nothing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "57")
    assert console.width() == 0
    monkeypatch.setattr(sys, "stdout", Screen())
    assert console.width() == 57


def test_a_reader_who_has_gone_is_no_error_whatever_the_system_calls_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "out").open("w") as file:

        class Gone(io.StringIO):
            def fileno(self) -> int:
                return file.fileno()

            def write(self, text: str) -> int:
                raise OSError(errno.EINVAL, "Invalid argument")

        monkeypatch.setattr(sys, "stdout", Gone())
        with pytest.raises(CallError, match="can't write the answer: invalid argument"):
            console.answer("text")
        monkeypatch.setattr(console, "_ENOUGH", {errno.EPIPE, errno.EINVAL})
        with pytest.raises(BrokenPipeError):
            console.answer("text")
