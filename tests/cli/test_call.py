from __future__ import annotations

import io
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner.cli import call as calling
from runner.cli import console, run
from runner.errors import CallError

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]
    Type = Callable[[bytes], None]

HOOK = "https://b24-ar17wx.bitrix24.by/rest/1/CODE/"
LONG = [
    "bitrix24", "im.chat.add", "--url", HOOK, "--type", "OPEN", "--title", "New chat",
    "--description", "This is a new chat", "--color", "GREEN", "--message", "Welcome to new chat",
    "--users", "10,1", "--avatar", "@picture.jpg", "--owner-id", "1",
]  # fmt: skip
ALIEN = ["bitrix24", "CreateChat", "--url", "b24-ar17wx.bitrix24.by", "--token", "TOKEN"]
FIELDS = {"TYPE": "CHAT", "TITLE": "Private chat", "USERS": [10, 1]}


def test_every_param_of_a_chat_is_a_flag(line: Run, picture: Path) -> None:
    said = line(*LONG, "--dry-run")
    assert said.code == 0
    assert said.err == ""
    assert said.data == {
        "verb": "POST",
        "url": "https://b24-ar17wx.bitrix24.by/rest/1/***/im.chat.add",
        "headers": {"Accept": "application/json", "Content-Type": "application/json"},
        "body": {
            "TYPE": "OPEN",
            "TITLE": "New chat",
            "DESCRIPTION": "This is a new chat",
            "COLOR": "GREEN",
            "MESSAGE": "Welcome to new chat",
            "USERS": [10, 1],
            "AVATAR": "/9j/4EpGSUY=",
            "OWNER_ID": 1,
        },
    }


@pytest.mark.parametrize("form", ["text", "single quotes", "@file", "path", "-"])
def test_the_whole_input_is_taken_in_every_form(form: str, line: Run, desk: Path, typing: Type) -> None:
    text = json.dumps(FIELDS)
    (desk / "chat.json").write_text(text)
    typing(text.encode())
    words = {"text": text, "single quotes": str(FIELDS), "@file": "@chat.json", "path": "chat.json", "-": "-"}
    said = line(*ALIEN, "--fields", words[form], "--dry-run")
    assert said.code == 0
    assert said.data["url"] == "https://b24-ar17wx.bitrix24.by/rest/im.chat.add"
    assert said.data["body"] == {**FIELDS, "auth": "***"}


def test_another_tools_command_prints_the_structure_that_show_prints(line: Run) -> None:
    alien = line("bitrix24", "GetChatStructure")
    assert alien.code == 0
    assert alien.data["USERS"] == []
    assert alien == line("show", "im.chat.add", "--skeleton") == line("show", "bitrix24", "im.chat.add", "--skeleton")


def test_another_tools_command_lets_names_pass_that_the_method_does_not_list(line: Run, site: Any) -> None:
    words = ["--data", '{"title": "A", "zzz": 1, "extra_x": 1, "sise": 2}', "--dry-run", "-q", "body"]
    said = line("notes", "NewNote", *site.line, *words)
    assert said.data == {"title": "A", "zzz": 1, "extra_x": 1, "sise": 2}
    assert said.err == "warning: sise: is not a known parameter; did you mean size?\n"
    refused = line("notes", "note.add", *site.line, "--params", '{"title": "A", "zzz": 1}', "--dry-run")
    assert refused.code == 2


def test_a_picture_is_fetched_from_an_address(line: Run, site: Any) -> None:
    site.say(b"\x89PNG\r\n\x1a\n", b"")
    said = line(*ALIEN, "--avatar", f"@{site.url}/face.png?small=1", "--dry-run")
    assert said.data["body"]["AVATAR"] == "iVBORw0KGgo="
    assert site.asked[0].path == "/face.png?small=1"
    empty = line(*ALIEN, "--avatar", f"@{site.url}/", "--dry-run")
    assert empty.code == 2
    assert f"AVATAR: what stands at {site.url}/ is empty; a text that begins with @ is written @@\n" in empty.err


def test_an_address_that_has_no_picture_is_an_error_of_the_param(line: Run, site: Any) -> None:
    site.say((404, b"no"))
    said = line(*ALIEN, "--avatar", f"@{site.url}/face.png", "--dry-run")
    assert said.code == 2
    assert f"AVATAR: can't fetch {site.url}/face.png: it answers 404" in said.err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "can't read face.jpg: no such file or directory; check the path and the permissions; "),
        (b"", "the file face.jpg is empty; "),
        (b"no picture", "the file face.jpg is no picture (jpeg, png, gif, bmp, webp); "),
    ],
)
def test_a_file_that_is_no_picture_is_never_sent(content: bytes | None, told: str, line: Run, desk: Path) -> None:
    if content is not None:
        (desk / "face.jpg").write_bytes(content)
    said = line(*ALIEN, "--title", "x", "--avatar", "@face.jpg")
    assert said.code == 2
    assert said.err == (
        "error: nothing was sent, im.chat.add does not take this:\n"
        f"  AVATAR: {told}a text that begins with @ is written @@\n"
    )


def test_text_that_is_base64_already_goes_as_it_is(line: Run) -> None:
    said = line(*ALIEN, "--avatar", "/9j/4EpGSUY=", "--dry-run")
    assert said.data["body"]["AVATAR"] == "/9j/4EpGSUY="
    wrong = line(*ALIEN, "--avatar", "face.jpg", "--dry-run")
    assert wrong.code == 2
    assert 'AVATAR: "face.jpg" is not base64; to send a file write @face.jpg' in wrong.err


def test_curl_masks_secrets_until_they_are_asked_for(line: Run) -> None:
    masked = line(*LONG[:4], "--title", "It's $HOME", "--curl")
    assert "CODE" not in masked.out
    assert shlex.split(masked.out) == [
        "curl", "--globoff", "--request", "POST", "https://b24-ar17wx.bitrix24.by/rest/1/***/im.chat.add",
        "--header", "Accept: application/json", "--header", "Content-Type: application/json",
        "--data-binary", '{"TITLE":"It\'s $HOME"}',
    ]  # fmt: skip
    open_words = shlex.split(line(*LONG[:4], "--title", "x", "--curl", "--show-secrets").out)
    assert open_words[4] == "https://b24-ar17wx.bitrix24.by/rest/1/CODE/im.chat.add"


def test_the_printed_curl_command_makes_the_call(line: Run, site: Any, picture: Path) -> None:
    said = line(
        "notes", "note.add", *site.line, "--title", "It's `x`\n$HOME", "--picture", "@picture.jpg", "--curl",
        "--show-secrets",
    )  # fmt: skip
    body = {"title": "It's `x`\n$HOME", "picture": "/9j/4EpGSUY="}
    assert json.loads(shlex.split(said.out)[-1]) == body
    if shutil.which("curl"):
        site.say({"result": 7})
        answer = subprocess.run(["sh", "-c", said.out], capture_output=True, check=True, timeout=10)
        assert json.loads(answer.stdout) == {"result": 7}
        assert site.asked[0].data == body
        assert site.asked[0].headers["Authorization"] == "Bearer opener"


@pytest.mark.parametrize("width", ["12", "80"])
def test_a_table_on_a_terminal_is_drawn_for_its_width(width: str, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setenv("NO_COLOR", "1")
    site.say({"result": [{"id": 1, "title": "A title", "kind": "PLAIN"}]})
    assert run(["notes", "note.list", *site.line, "-o", "table"]) == 0
    narrow = "id     1\ntitle  A title\nkind   PLAIN\n"
    wide = f" id   title     kind\n {'─' * 20}\n 1    A title   PLAIN\n"
    assert screen.getvalue() == (narrow if width == "12" else wide)


def test_a_call_prints_the_value_of_its_answer(line: Run, site: Any) -> None:
    site.say({"result": 7})
    assert line("notes", "note.add", *site.line, "--title", "A") == (0, "7\n", "")
    assert (site.asked[0].verb, site.asked[0].path) == ("POST", "/note.add")
    assert site.asked[0].data == {"title": "A"}


def test_a_method_that_one_service_has_needs_no_service(line: Run, site: Any) -> None:
    site.say({"result": {"id": 1}})
    assert line("Note.Get", "id=1", *site.line).data == {"id": 1}


def test_options_before_the_service_are_heard(line: Run, site: Any) -> None:
    site.say({"result": [1, 2]})
    words = [*site.line, "--output", "ndjson", "notes", "note.list"]
    assert line(*words).out == "1\n2\n"
    assert line(f"--link={site.url}#opener", "note.list", "--dry-run").code == 0


def test_raw_prints_the_envelope_and_query_a_part_of_it(line: Run, site: Any) -> None:
    envelope = {"result": {"id": 1, "tags": ["a", "b"]}, "next": 2}
    site.say(envelope, envelope, envelope)
    call = ["notes", "note.get", "id=1", *site.line]
    assert line(*call, "--raw").data == envelope
    assert line(*call, "--query", "tags[1]").data == "b"
    assert line(*call, "--raw", "--query", "next").data == 2


def test_a_query_with_a_slip_is_refused_before_anything_is_sent(line: Run, site: Any) -> None:
    said = line("notes", "note.get", "id=1", *site.line, "--query", "a[")
    assert said.code == 2
    assert said.err.startswith("error: 'a[' is no JMESPath: ")
    assert said.err.endswith("; see https://jmespath.org for the grammar\n")
    assert site.asked == []
    site.say({"result": 1})
    assert line("notes", "note.get", "id=1", *site.line, "--query", "length(@)").code == 2


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("json", '[\n  {\n    "a": 1\n  }\n]\n'),
        ("yaml", "- a: 1\n"),
        ("table", "a\n1\n"),
        ("csv", "a\n1\n"),
        ("ndjson", '{"a":1}\n'),
    ],
)
def test_an_answer_has_five_forms(form: str, text: str, line: Run, site: Any, desk: Path) -> None:
    site.say({"result": [{"a": 1}]}, {"result": [{"a": 1}]})
    assert line("notes", "note.list", *site.line, "--output", form).out == text
    assert line("notes", "note.list", *site.line, "-o", form, "--out", "answer").out == ""
    assert (desk / "answer").read_text() == text


def test_all_reads_every_page(line: Run, site: Any) -> None:
    site.say({"result": [1, 2], "next": 2}, {"result": [3]})
    assert line("notes", "note.list", *site.line, "--all").data == [1, 2, 3]
    assert [one.data for one in site.asked] == [{}, {"from": 2}]


def test_limit_reads_no_page_more_than_it_needs(line: Run, site: Any) -> None:
    site.say({"result": [1, 2], "next": 2}, {"result": [3, 4], "next": 4})
    assert line("notes", "note.list", *site.line, "--limit", "3", "-o", "ndjson").out == "1\n2\n3\n"
    assert len(site.asked) == 2


def test_rows_of_all_pages_can_be_queried_and_written(line: Run, site: Any, desk: Path) -> None:
    site.say({"result": [1, 2], "next": 2}, {"result": [3]})
    assert line("notes", "note.list", *site.line, "--all", "-q", "length(@)").out == "3\n"
    site.say({"result": [1, 2], "next": 2}, {"result": [3]})
    assert line("notes", "note.list", *site.line, "--all", "-o=ndjson", "--out", "rows").out == ""
    assert (desk / "rows").read_text() == "1\n2\n3\n"


def test_a_method_with_one_page_says_so(line: Run, site: Any) -> None:
    said = line("notes", "note.add", "title=A", *site.line, "--all")
    assert said.code == 2
    assert said.err == "error: note.add answers with one page only; call it without --all and --limit\n"
    assert site.asked == []


@pytest.mark.parametrize("number", ["0", "-1", "2.5", "x", "", "1e3", "９", "9999999999999"])
def test_a_limit_is_a_whole_number(number: str, line: Run, site: Any) -> None:
    said = line("notes", "note.list", *site.line, f"--limit={number}")
    assert (said.code, said.out) == (2, "")
    assert said.err == f"error: --limit takes a whole number from 1, not {number!r}\n"


@pytest.mark.parametrize("number", ["0", "-1", "soon", "nan", "inf"])
def test_a_timeout_is_a_number_above_nothing(number: str, line: Run, site: Any) -> None:
    said = line("notes", "note.list", *site.line, f"--timeout={number}")
    assert said == (2, "", f"error: --timeout takes a number above 0, not {number!r}\n")


def test_bytes_go_out_as_they_are(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(stream, encoding="utf-8"))
    site.say(b"\x89PNG\xff")
    assert run(["notes", "note.picture", *site.line]) == 0
    assert stream.getvalue() == b"\x89PNG\xff"


def test_bytes_are_written_to_a_file_and_counted(line: Run, site: Any, desk: Path) -> None:
    site.say(b"\x89PNG\xff")
    assert line("notes", "note.picture", *site.line, "--out", "face.png") == (0, "", "5 bytes written to face.png\n")
    assert (desk / "face.png").read_bytes() == b"\x89PNG\xff"


def test_bytes_are_not_thrown_at_a_terminal(site: Any, monkeypatch: pytest.MonkeyPatch, line: Run) -> None:
    site.say(b"\x89PNG\xff")
    monkeypatch.setattr(console, "flush", lambda: None)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    said = line("notes", "note.picture", *site.line)
    assert said == (2, "", "error: the answer is 5 bytes that are no text; add --out FILE\n")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("", "--out needs the name of a file"),
        (".", "can't write .: it is a folder"),
        ("nowhere/answer", "can't write nowhere/answer: no such file or directory"),
        ("taken/answer", "can't write taken/answer: not a directory"),
    ],
)
def test_an_answer_that_could_not_be_written_is_not_asked_for(
    place: str, told: str, line: Run, site: Any, desk: Path
) -> None:
    (desk / "taken").touch()
    assert line("notes", "note.add", "title=A", *site.line, f"--out={place}") == (2, "", f"error: {told}\n")
    assert site.asked == []


def test_out_with_a_dash_is_standard_output(line: Run, site: Any, desk: Path) -> None:
    site.say({"result": 7})
    assert line("notes", "note.add", "title=A", *site.line, "--out", "-") == (0, "7\n", "")
    assert list(desk.iterdir()) == []


def test_a_dry_run_and_a_curl_command_can_be_written_to_a_file(line: Run, site: Any, desk: Path) -> None:
    line("notes", "note.get", "id=1", *site.line, "--dry-run", "-o", "yaml", "--out", "plan")
    assert (desk / "plan").read_text().startswith("verb: POST\n")
    line("notes", "note.get", "id=1", *site.line, "--curl", "--out", "plan")
    assert (desk / "plan").read_text().startswith("curl --globoff --request POST ")
    assert site.asked == []


def test_letters_that_are_half_a_sign_are_written_escaped(line: Run, site: Any, desk: Path) -> None:
    site.say(b'{"result": "\\ud83d"}', b'{"result": "\\ud83d"}')
    assert line("notes", "note.get", "id=1", *site.line) == (0, '"\\ud83d"\n', "")
    assert line("notes", "note.get", "id=1", *site.line, "--out", "half").code == 0
    assert (desk / "half").read_text() == '"\\ud83d"\n'


def test_warnings_are_said_and_hinder_nothing(line: Run, site: Any) -> None:
    said = line("notes", "note.add", "title=A", "size=1", "old=x", *site.line)
    assert said == (0, "true\n", "warning: A note of one line is short\nwarning: old: is deprecated\n")


def test_verbose_says_what_goes_and_comes_without_secrets(line: Run) -> None:
    said = line("notes", "note.add", "title=A", "--sandbox", "-v")
    assert said.code == 0
    sent, came = said.err.splitlines()
    assert sent.startswith("> POST http://127.0.0.1:")
    assert sent.endswith("/note.add")
    assert came.startswith("< 200, ")
    assert came.endswith(" ms")


def test_waiting_is_said_to_a_person_or_where_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calling.Watch(verbose=False).waits(9.0, "limits")
    assert capsys.readouterr().err == ""
    calling.Watch(verbose=True).waits(0.1, "limits")
    assert capsys.readouterr().err == "  waiting 0.1 s: limits\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    calling.Watch(verbose=False).waits(0.5, "limits")
    calling.Watch(verbose=False).waits(9.0, "limits")
    assert capsys.readouterr().err == "  waiting 9.0 s: limits\n"


def test_every_misfit_is_told_at_once(line: Run, site: Any) -> None:
    said = line("notes", "note.add", "size=big", "marks:=[1", "--kind", "PLANE", "place.shelf.x=1", *site.line)
    assert said.code == 2
    head, *misfits = said.err.splitlines()
    assert head == "error: nothing was sent, note.add does not take this:"
    assert sorted(misfits) == [
        '  kind: "PLANE" is not one of PLAIN, Round, 007, 2, null; did you mean PLAIN?',
        "  marks: marks is no JSON: Expecting ',' delimiter at line 1, column 3",
        '  place.shelf: {"x": "1"} is not a whole number',
        '  size: "big" is not a whole number',
        "  title: is required",
    ]
    assert site.asked == []


def test_words_that_can_not_be_read_stop_a_call_whose_values_fit(line: Run, site: Any) -> None:
    said = line("notes", "note.add", "title=A", "lines=@nowhere", *site.line)
    assert said.code == 2
    assert "  lines: can't read nowhere: no such file or directory; " in said.err
    assert site.asked == []


def test_no_check_sends_what_does_not_fit(line: Run, site: Any) -> None:
    assert line("notes", "note.add", "size=big", *site.line, "--no-check").code == 0
    assert site.asked[0].data == {"size": "big"}


def test_standard_input_is_taken_once(line: Run, site: Any, typing: Type) -> None:
    typing("Привет".encode())
    said = line("notes", "note.add", "--title", "-", "--color=-", *site.line)
    assert said.code == 2
    assert "color: standard input can be read only once; give the other value as @file" in said.err
    typing("Привет".encode())
    assert line("notes", "note.add", "--title", "-", *site.line).code == 0
    assert site.asked[0].data == {"title": "Привет"}


def test_a_person_is_told_how_to_end_standard_input(
    line: Run, site: Any, monkeypatch: pytest.MonkeyPatch, typing: Type
) -> None:
    typing(b"x")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert line("notes", "note.add", "title=-", *site.line).err == "reading standard input; end it with Ctrl-D\n"


def test_standard_input_that_is_closed_is_said(line: Run, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    said = line("notes", "note.add", "title=-", *site.line)
    assert said.code == 2
    assert "title: standard input is closed" in said.err


def test_a_home_folder_is_found_in_a_path(line: Run, site: Any, desk: Path) -> None:
    (desk / "title.txt").write_text("A")
    assert line("notes", "note.add", "title=@~/title.txt", *site.line).code == 0
    assert site.asked[0].data == {"title": "A"}
    assert line("notes", "note.add", "title=@~nobody-here/x", *site.line).code == 2


def test_a_secret_comes_from_a_file_or_from_standard_input(line: Run, site: Any, desk: Path, typing: Type) -> None:
    (desk / "secret").write_text("opener\n")
    typing(b"closer\n")
    for source in ("@secret", "-"):
        assert line("notes", "note.get", "id=1", "--server", site.url, "--token", source).code == 0
    assert [one.headers["Authorization"] for one in site.asked] == ["Bearer opener", "Bearer closer"]


@pytest.mark.parametrize("source", ["", "  ", "@blank", "-"])
def test_an_empty_credential_names_its_flag(source: str, line: Run, site: Any, desk: Path, typing: Type) -> None:
    (desk / "blank").write_text("\n")
    typing(b"")
    said = line("notes", "note.get", "id=1", "--server", site.url, "--token", source)
    assert said == (2, "", "error: --token is empty; did a variable of the shell have no value?\n")


def test_missing_credentials_name_the_flag_the_variable_and_the_key(line: Run, site: Any) -> None:
    said = line("notes", "note.get", "id=1", "--server", site.url)
    assert said == (
        3,
        "",
        "error: no credentials for Notes: token missing; "
        "give --link, or set DECLAREST_NOTES_LINK, or `link` in a profile\n"
        "  access token: server, token\n"
        "  Ask the keeper of the notes\n"
        "  declarest login notes asks for them, checks them and keeps them\n"
        "  or practise with --sandbox\n",
    )


@pytest.mark.parametrize(("option", "other"), [("--state", "--sandbox"), ("--show-secrets", "--curl")])
def test_an_option_that_needs_another_is_not_passed_over(option: str, other: str, line: Run, site: Any) -> None:
    words = [option, "kept.sqlite"] if option == "--state" else [option]
    said = line("notes", "note.add", "title=A", *site.line, *words)
    assert said == (2, "", f"error: {option} means nothing without {other}\n")
    assert site.asked == []


def test_a_param_that_is_called_like_an_option_is_told_how_to_be_written(line: Run, desk: Path) -> None:
    folder = desk / "methods" / "notes" / "note"
    folder.mkdir(parents=True)
    params = "{labels: {type: array}, state: {type: string}}"
    text = f"method: note.mark\nsummary: Mark notes\neffect: write\nparams: {params}\n"
    (folder / "note.mark.yaml").write_text(text)
    assert line("notes", "note.mark", "--state", "old").err == (
        "error: --state means nothing without --sandbox; the method's own is written state=old\n"
    )
    assert line("notes", "note.mark", "--labels", "a,b").err == (
        "error: 'a,b' is no option and no name=value; "
        "--labels is an option of every call; the method's own is labels=a,b\n"
    )
    assert line("notes", "note.mark", "labels=a,b", "state=old", "--sandbox").code == 0


def test_the_sandbox_answers_without_an_account(line: Run) -> None:
    assert line("notes", "note.add", "title=A", "--sandbox").code == 0
    assert line("bitrix24", "im.chat.add", "--title", "New chat", "--users", "1,2", "--sandbox").data == 1
    assert line("bitrix24", "im.chat.add", "--title", "Another", "--sandbox").data == 2
    assert line("bitrix24", "im.chat.add", "--title", "Third", "--sandbox", "--state", "other.sqlite").data == 1


def test_credentials_of_a_line_do_not_hinder_practice(line: Run) -> None:
    assert line(*ALIEN, "--fields", json.dumps(FIELDS), "--sandbox").code == 0


def test_a_sandbox_that_forgets_says_so(line: Run, desk: Path) -> None:
    (desk / "file").touch()
    said = line("notes", "note.add", "title=A", "--sandbox", "--state", "file/state.sqlite")
    assert said.code == 0
    assert "state.sqlite" in said.err


def test_a_service_that_says_no_is_told_in_its_words(line: Run, site: Any) -> None:
    site.say((400, b'{"error": "NO_NOTE", "text": "There is no \\u001b[31mnote 9"}'))
    said = line("notes", "note.get", "id=9", *site.line)
    assert said == (4, "", "error: NO_NOTE: There is no \ufffd[31mnote 9; Look for another\n")
    site.say((401, b'{"error": "LOCKED", "text": "Who?"}'))
    assert line("notes", "note.get", "id=9", *site.line) == (3, "", "error: LOCKED: Who?\n")


def test_an_error_is_one_object_where_the_answer_is_json(line: Run, site: Any) -> None:
    site.say((400, b'{"error": "NO_NOTE", "text": "There is no note 9"}'))
    said = line("notes", "note.get", "id=9", *site.line, "--output", "json")
    assert (said.code, said.out) == (4, "")
    assert json.loads(said.err) == {
        "error": {
            "kind": "not_found",
            "code": "NO_NOTE",
            "message": "There is no note 9",
            "hint": "Look for another",
            "method": "note.get",
            "status": 400,
        }
    }


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (b"<html><title>Gone  fishing</title></html>", "the answer is a web page, not JSON: Gone fishing\n"),
        (b'{"result": [1, 2', 'the answer is JSON that is cut short: {"result": [1, 2\n'),
        (b"", "the answer is empty\n"),
        (b"\xff\xfe", "the answer is not UTF-8 text: \ufffd\ufffd\n"),
        (
            (200, b'{"res', 100),
            "{host} broke the connection off before its answer was whole; the service may have acted",
        ),
        ((302, b""), "the service answered with a redirect; "),
        ((502, b"Bad gateway"), "Bad gateway"),
    ],
)
def test_an_answer_that_is_none_is_shown_for_what_it_is(reply: Any, told: str, line: Run, site: Any) -> None:
    site.say(reply)
    said = line("notes", "note.get", "id=1", *site.line)
    assert (said.code, said.out) == (5, "")
    assert said.err.startswith("error: ")
    assert told.replace("{host}", site.url.removeprefix("http://")) in said.err


def test_a_write_whose_answer_is_lost_says_that_it_may_have_been_done(line: Run, site: Any) -> None:
    site.say(b"<p>Oops")
    said = line("notes", "note.drop", "id=1", *site.line)
    assert said == (
        5,
        "",
        "error: the answer is a web page, not JSON: <p>Oops; the service may have acted; look before you call again\n",
    )


def test_a_slow_answer_is_given_up(line: Run, site: Any) -> None:
    site.say("silence")
    said = line("notes", "note.drop", "id=1", *site.line, "--timeout", "0.05")
    assert said.code == 5
    assert said.err == (
        f"error: {site.url.removeprefix('http://')} took too long to answer; the service may have acted; "
        "look before you call again, or give --timeout more seconds\n"
    )


def test_a_closed_port_and_an_unknown_host_are_told_apart(line: Run) -> None:
    said = line("notes", "note.get", "id=1", "--server", "http://127.0.0.1:1", "--token", "x")
    assert said == (5, "", "error: 127.0.0.1:1 refuses connections: nothing listens there\n")


def test_an_unencrypted_address_of_another_machine_is_refused(line: Run) -> None:
    words = ["bitrix24", "profile", "--url", "http://portal.example/rest/1/CODE/", "--dry-run"]
    said = line(*words)
    assert said == (
        2,
        "",
        "error: http://portal.example would send the credentials unencrypted; "
        "write https://, or add --insecure if you must\n",
    )
    assert line(*words, "--insecure").data["url"] == "http://portal.example/rest/1/***/profile"


@pytest.mark.parametrize(
    "url", ["portal example", "ftp://portal.example/rest/1/CODE/", "https://portal.example/x/CODE"]
)
def test_an_address_that_the_service_does_not_have_is_shown_without_its_secret(url: str, line: Run) -> None:
    said = line("bitrix24", "profile", "--url", url, "--dry-run")
    assert (said.code, said.out) == (2, "")
    assert "is not an address that Bitrix24 has; it looks like https://PORTAL/rest/USER_ID/CODE/ or PORTAL" in said.err
    assert "/x/CODE" not in said.err
    assert "/rest/1/CODE" not in said.err


def test_stopping_a_write_says_that_it_may_have_been_carried_out(
    line: Run, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(self: Any, request: Any, largest: int) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("runner.transport.Transport.send", stopped)
    assert line("notes", "note.drop", "id=1", *site.line) == (
        130,
        "",
        "interrupted: note.drop may have been carried out\n",
    )
    assert line("notes", "note.get", "id=1", *site.line) == (130, "", "interrupted\n")
    said = line("notes", "note.drop", "id=1", *site.line, "-o", "json")
    assert json.loads(said.err)["error"]["kind"] == "interrupted"


def test_an_area_lists_its_methods(line: Run) -> None:
    said = line("notes", "NOTE")
    assert said.code == 0
    assert said.out.startswith("note.add      Write a note\nnote.drop     Drop a note\n")
    assert line("notes", "note", "--help").code == 0


def test_help_of_a_method_wins_over_everything_else(line: Run) -> None:
    said = line("notes", "note.add", "--nothing", "-h")
    assert said.code == 0
    assert said.out.startswith("note.add: Write a note\n")
    page = line("notes", "NewNote", "--help").out
    assert page.startswith("NewNote (other) calls note.add\n\nOptions of NewNote:\n")
    assert page.endswith("\n\n" + said.out)


def test_an_unknown_method_is_met_with_the_nearest(line: Run) -> None:
    said = line("notes", "note.ad")
    assert said.code == 2
    assert said.err.startswith("error: there is no method 'note.ad' in notes; did you mean note.add")


def test_the_params_of_a_line_and_the_whole_input_go_together(line: Run, site: Any) -> None:
    said = line(
        "notes", "note.add", "--params", '{"TITLE": "A", "place": {"room": "hall"}}', "place.shelf=2", *site.line
    )
    assert said.code == 0
    assert site.asked[0].data == {"TITLE": "A", "place": {"room": "hall", "shelf": 2}}


def test_the_wires_own_body_is_read_from_a_file(line: Run, site: Any, picture: Path) -> None:
    assert line("notes", "note.scan", "--scan", "@picture.jpg", *site.line).code == 0
    assert b'filename="picture.jpg"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8' in site.asked[0].body


def test_nothing_is_read_from_a_stream_that_nobody_asked_for(
    line: Run, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("never"))
    assert line("notes", "note.get", "id=1", *site.line).code == 0
    assert sys.stdin.read() == "never"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["note.add", "--title", "A"], 7, "error: note.add was carried out, but can't write the answer: full\n"),
        (["note.get", "id=1"], 2, "error: can't write the answer: full\n"),
    ],
)
def test_an_answer_that_can_not_be_written_does_not_hide_that_a_write_was_made(
    words: list[str], code: int, told: str, line: Run, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise CallError("can't write the answer: full")

    site.say({"result": 7})
    monkeypatch.setattr("runner.cli.call.console.flush", full)
    said = line("notes", words[0], *site.line, *words[1:])
    assert (said.code, said.err) == (code, told)
