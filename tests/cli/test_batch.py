from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from runner.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., Any]

MAP = "new: {method: note.add, params: {title: A}}\nold: {method: note.get, params: {id: 9}}\n"
LIST = '[{"method": "note.add", "params": {"title": "A"}}, {"method": "note.list"}]'
HALF = {"result": {"done": {"new": 7}, "failed": {"old": {"error": "NO_NOTE", "text": "Gone"}}}}


@pytest.fixture
def calls(desk: Path) -> str:
    """A file of two calls by name."""
    (desk / "calls.yaml").write_text(MAP)
    return "calls.yaml"


def test_calls_with_names_are_answered_by_name_and_half_a_success_has_its_exit_code(
    line: Run, site: Any, calls: str
) -> None:
    site.say(HALF)
    said = line("batch", "notes", calls, *site.line)
    assert said.code == 7
    assert said.data == {
        "new": {"result": 7},
        "old": {
            "error": {
                "kind": "not_found",
                "code": "NO_NOTE",
                "message": "Gone",
                "hint": "Look for another",
                "method": "note.get",
                "status": 200,
            }
        },
    }
    assert said.err == "error: old: NO_NOTE: Gone; Look for another\n"
    assert site.asked[0].data == {
        "calls": {
            "new": {"method": "note.add", "params": {"title": "A"}},
            "old": {"method": "note.get", "params": {"id": 9}},
        },
        "halt": False,
    }


def test_a_list_of_calls_is_answered_by_a_list(line: Run, site: Any, typing: Callable[[bytes], None]) -> None:
    typing(LIST.encode())
    site.say({"result": {"done": {"c1": 7, "c2": []}, "failed": {}}})
    said = line("batch", "notes", "-", *site.line, "--halt")
    assert (said.code, said.err) == (0, "")
    assert said.data == [{"result": 7}, {"result": []}]
    assert site.asked[0].data["halt"] is True


def test_a_batch_of_which_nothing_was_done_has_the_code_of_its_worst_refusal(line: Run, site: Any, calls: str) -> None:
    failed = {"new": {"error": "NO_NOTE"}, "old": {"error": "LOCKED"}}
    site.say({"result": {"done": {}, "failed": failed}})
    assert line("batch", "notes", calls, *site.line).code == 4


def test_an_empty_batch_sends_nothing(line: Run, site: Any, desk: Path) -> None:
    (desk / "none.yaml").write_text("[]")
    assert line("batch", "notes", "none.yaml", *site.line) == (0, "[]\n", "")
    assert site.asked == []


def test_the_answer_has_the_form_and_the_place_that_are_asked_for(line: Run, site: Any, desk: Path, calls: str) -> None:
    site.say(HALF, HALF)
    assert line("batch", "notes", calls, *site.line, "-o", "yaml").out.startswith("new:\n  result: 7\nold:\n")
    said = line("batch", "notes", calls, *site.line, "--out", "answer.json")
    assert (said.code, said.out) == (7, "")
    assert json.loads((desk / "answer.json").read_text())["new"] == {"result": 7}


def test_an_answer_that_could_not_be_written_is_not_asked_for(line: Run, site: Any, calls: str) -> None:
    said = line("batch", "notes", calls, *site.line, "--out", "nowhere/answer")
    assert said == (2, "", "error: can't write nowhere/answer: no such file or directory\n")
    assert site.asked == []


def test_credentials_come_as_text_and_from_a_file(line: Run, site: Any, desk: Path, calls: str) -> None:
    (desk / "secret").write_text("opener\n")
    for secret in ("--token=opener", "--token=@secret"):
        site.say(HALF)
        assert line("batch", "--server", site.url, secret, "notes", calls).code == 7
    assert {one.headers["Authorization"] for one in site.asked} == {"Bearer opener"}


def test_every_misfit_is_told_before_anything_is_sent(line: Run, site: Any, desk: Path) -> None:
    (desk / "calls.yaml").write_text("new: {method: note.add, params: {size: big}}\n")
    said = line("batch", "notes", "calls.yaml", *site.line)
    assert said.code == 2
    assert said.err.startswith("error: nothing was sent, note.add does not take this:\n")
    assert site.asked == []
    site.say({"result": {"done": {"new": 7}}})
    assert line("batch", "notes", "calls.yaml", *site.line, "--no-check").code == 0


def test_verbose_says_what_goes_and_comes(line: Run, site: Any, calls: str) -> None:
    site.say(HALF)
    said = line("batch", "notes", calls, *site.line, "-v")
    assert said.err.startswith(f"> POST {site.url}/batch\n< 200, ")


def test_stopping_a_batch_says_that_some_of_it_may_have_been_done(
    line: Run, site: Any, calls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(self: Any, request: Any, largest: int) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("runner.transport.Transport.send", stopped)
    said = line("batch", "notes", calls, *site.line)
    assert said == (130, "", "interrupted: some of the calls may have been carried out\n")
    monkeypatch.setattr("runner.client.Client.outcomes", lambda *_, **__: stopped(None, None, 0))
    assert line("batch", "notes", calls, *site.line) == (130, "", "interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("as_list", [True, False])
def test_a_batch_that_is_stopped_tells_what_was_done(
    number: int, as_list: bool, line: Run, site: Any, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = {"method": "note.add", "params": {"title": "A"}}
    named: Any = [call] * 7 if as_list else {f"n{place}": call for place in range(7)}
    (desk / "calls.json").write_text(json.dumps(named))
    keys = [f"c{place}" for place in range(1, 6)] if as_list else list(named)[:5]
    site.say({"result": {"done": dict.fromkeys(keys, 7)}})
    send = Transport.send

    def stopped(self: Transport, request: Any, largest: int) -> Any:
        if len(site.asked) == 1:
            signal.raise_signal(number)
        return send(self, request, largest)

    monkeypatch.setattr(Transport, "send", stopped)
    words = ["batch", "notes", "calls.json", *site.line, "--out", "answer.json"]
    text = "5 of 7 calls have their answer, some of the others may have been carried out"
    if number == signal.SIGINT:
        assert line(*words) == (130, "", f"interrupted: {text}\n")
    else:
        with pytest.raises(SystemExit, match="143"):
            line(*words)
    answer = json.loads((desk / "answer.json").read_text())
    assert answer == ([{"result": 7}] * 5 if as_list else {key: {"result": 7} for key in keys})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("7", "bad.yaml holds no calls; a mapping of names to {method: …, params: {…}}, or a list of them"),
        ("- 7", "bad.yaml: call 1: this is no call; write {method: NAME, params: {…}}"),
        ("a: {methud: note.add}", "bad.yaml: a: this is no call; write {method: NAME, params: {…}}"),
        ("a: {method: 7}", "bad.yaml: a: this is no call; write {method: NAME, params: {…}}"),
        ("a: {method: note.add, parms: {}}", "bad.yaml: a: this is no call; write {method: NAME, params: {…}}"),
        ("a: {method: note.add, params: [1]}", "bad.yaml: a: this is no call; write {method: NAME, params: {…}}"),
        ("a: [", "bad.yaml:2:1: did not find expected node content"),
        ("a: {method: note.ad}", "there is no method 'note.ad' in notes; did you mean note.add"),
    ],
)
def test_a_file_that_holds_no_calls_is_refused(text: str, told: str, line: Run, site: Any, desk: Path) -> None:
    (desk / "bad.yaml").write_text(text)
    said = line("batch", "notes", "bad.yaml", *site.line)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"error: {told}")
    assert site.asked == []


def test_a_file_that_is_no_text_is_refused(line: Run, site: Any, desk: Path) -> None:
    (desk / "bad.yaml").write_bytes(b"\xff\xfe")
    said = line("batch", "notes", "bad.yaml", *site.line)
    assert said == (2, "", "error: the file bad.yaml is not UTF-8 text\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["notes"], "batch takes one file of calls, or - for standard input; declarest batch SERVICE FILE"),
        (["notes", "a", "b"], "batch takes one file of calls, or - for standard input; declarest batch SERVICE FILE"),
        (["notes", "gone.yaml"], "can't read gone.yaml: no such file or directory; check the path and the permissions"),
        (["note", "calls.yaml"], "there is no service 'note'; did you mean notes?"),
        (["notes", "calls.yaml", "--dry-run"], "batch has no option --dry-run; it has --profile, "),
        (["notes", "calls.yaml", "--all"], "batch has no option --all; "),
        (["notes", "calls.yaml", "--token"], "--token needs a value"),
        (["notes", "calls.yaml", "--token", ""], "--token is empty; did a variable of the shell have no value?"),
        (["notes", "calls.yaml", "--tokn", "x"], "notes has no credential called 'tokn'; did you mean token?"),
    ],
)
def test_a_slip_of_the_line_is_told(words: list[str], told: str, line: Run, calls: str) -> None:
    said = line("batch", *words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"error: {told}")


def test_the_sandbox_answers_a_batch(line: Run, desk: Path) -> None:
    (desk / "calls.yaml").write_text("me: {method: user.current}\nnew: {method: im.chat.add, params: {TITLE: A}}\n")
    for state in ([], ["--state", "kept.sqlite"]):
        said = line("batch", "bitrix24", "calls.yaml", "--sandbox", *state, "--url", "ignored.example")
        assert said.code == 0
        assert said.data["me"]["result"]["NAME"] == "Anna"
        assert said.data["new"] == {"result": 1}


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_batch_says_how_it_is_used(words: list[str], line: Run) -> None:
    said = line("batch", *words)
    assert said.code == 0
    assert said.out.startswith("declarest batch SERVICE FILE|-\n")
