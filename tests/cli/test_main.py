from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import runner
from runner.cli import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., Any]


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_the_version_is_answered_at_once(word: str, line: Run) -> None:
    assert line(word) == (0, f"declarest {runner.__version__}\n", "")


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["--lang", "ru"]])
def test_a_line_without_words_is_answered_with_the_first_page(words: list[str], line: Run) -> None:
    said = line(*words)
    assert said.code == 0
    assert said.out.startswith("declarest calls REST methods that are described in YAML.\n")


def test_a_service_without_a_method_lists_its_areas(line: Run) -> None:
    said = line("notes")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Notes  https://notes.example/docs\n")
    assert line("NOTES", "--help").out == said.out
    assert line("notes", "--token", "x").out == said.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["note"], "there is no service, command or method 'note'; did you mean notes?"),
        (["fnd"], "there is no service, command or method 'fnd'; did you mean find?"),
        (["note.ad"], "there is no service, command or method 'note.ad'; did you mean notes note.add"),
        (["zzzzzz"], "there is no service, command or method 'zzzzzz'; declarest find zzzzzz searches, "),
        (["mcp"], "declarest has no command 'mcp' yet; declarest --help lists what there is"),
        (["notes", "show"], "show is a command and stands first; write declarest show notes …"),
        (["--methods", "nowhere"], "there is no folder 'nowhere'; --methods takes a folder of services"),
    ],
)
def test_a_first_word_that_nothing_knows_is_met_with_the_nearest(words: list[str], told: str, line: Run) -> None:
    said = line(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"error: {told}")


def test_a_command_is_heard_behind_general_options(line: Run) -> None:
    assert line("-o", "json", "find", "notes", "write", "note").data == [
        {"service": "notes", "method": "note.add", "summary": "Write a note"}
    ]
    assert line("--help", "find").out.startswith("declarest find WORDS\n")


@pytest.mark.parametrize("words", [["--output", "json"], ["-o", "ndjson"], ["--output=json"], ["-o=ndjson"]])
def test_errors_are_json_where_the_answer_is(words: list[str], line: Run) -> None:
    said = line("notes", "note.ad", *words)
    assert json.loads(said.err)["error"]["code"] == "UnknownMethod"


@pytest.mark.parametrize("words", [["--output"], ["--output", "yaml"], ["-o=csv"]])
def test_errors_are_text_otherwise(words: list[str], line: Run) -> None:
    assert line("notes", "note.ad", *words).err.startswith("error: ")


def test_a_broken_file_is_told_and_hinders_no_other(line: Run, desk: Path) -> None:
    folder = desk / "methods" / "notes" / "note"
    folder.mkdir(parents=True)
    (folder / "note.bad.yaml").write_text("method: note.bad\nsummary: x\neffect: read\nsumary: x\n")
    said = line("notes", "note.get", "id=1", "--server", "https://a.example", "--token", "x", "--dry-run")
    assert said.code == 0
    assert said.err.startswith("warning: ")
    assert "note.bad.yaml:4:1: the key 'sumary' is not known; did you mean summary?\n" in said.err
    assert line("zzzzzz").err.startswith("warning: ")
    assert line("notes", "note.bad").code == 2


def test_an_error_of_our_own_leaves_no_traceback(line: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        message = "too many"
        raise ZeroDivisionError(message)

    monkeypatch.setattr("runner.cli.help.top", broken)
    assert line() == (
        1,
        "",
        "error: this is a bug in declarest: ZeroDivisionError: too many; DECLAREST_DEBUG=1 shows where; "
        "please report it with the line that you ran, without its secrets\n",
    )
    assert json.loads(line("-o", "json").err)["error"]["kind"] == "bug"
    monkeypatch.setenv("DECLAREST_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        line()


def test_a_stop_before_anything_is_sent_is_said_in_a_word(line: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("runner.cli.help.top", stopped)
    assert line() == (130, "", "interrupted\n")


@pytest.mark.parametrize("words", [[], ["--version"], ["find", "note"]])
def test_a_reader_who_has_had_enough_is_no_error(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert run(words) == 0


@pytest.mark.parametrize("words", [[], ["--version"], ["find", "note"]])
def test_a_full_disk_is_an_error(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert run(words) == 2
    assert capsys.readouterr().err == "error: can't write the answer: no space left on device\n"


def test_an_answer_without_a_place_is_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], site: Any
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert run(["notes", "note.get", "id=1", *site.line]) == 2
    assert capsys.readouterr().err == "error: standard output is closed; give --out FILE, or send it to /dev/null\n"
    assert site.asked == []


@pytest.mark.parametrize("words", [["--out", "answer"], ["--out=answer"]])
def test_an_answer_with_a_place_needs_no_standard_output(
    words: list[str], monkeypatch: pytest.MonkeyPatch, site: Any, desk: Path
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    try:
        assert run(["notes", "note.get", "id=1", *site.line, *words]) == 0
        assert (desk / "answer").read_text() == "true\n"
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.close()


def test_a_stream_that_can_not_be_changed_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from io import StringIO

    stream = StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    assert run(["--version"]) == 0
    assert stream.getvalue().startswith("declarest ")


def test_the_module_is_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import runpy

    monkeypatch.setattr(sys, "argv", ["declarest", "--version"])
    monkeypatch.delitem(sys.modules, "runner.__main__", raising=False)
    monkeypatch.delitem(sys.modules, "runner.cli.stops", raising=False)
    with pytest.raises(SystemExit) as left:
        runpy.run_module("runner", run_name="__main__")
    assert left.value.code == 0
    assert capsys.readouterr().out == f"declarest {runner.__version__}\n"
    from runner.__main__ import main

    assert main() == 0


def test_an_interrupt_while_the_command_is_read_in_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from runner.__main__ import main

    def stopped(_argv: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "runner.cli.stops", raising=False)
    monkeypatch.setattr("runner.cli.run", stopped)
    assert main() == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_line_whose_end_is_to_be_told_is_not_cut_short_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.__main__ import main
    from runner.cli import stops

    assert stops.__name__ in sys.modules
    monkeypatch.setattr(sys, "argv", ["declarest", "--version"])
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        thread = threading.Thread(target=main)  # which can't say what a signal does
        thread.start()
        thread.join()
        assert {number: signal.getsignal(number) for number in before} == before
        assert main() == 0
        assert {signal.getsignal(number) for number in before} == {signal.SIG_IGN}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
