from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner import sandbox
from runner.folders import built_in
from runner.sandbox.faults import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[sandbox.Served]:
    """The sandboxes that a line serves; waiting for their end is over at once."""
    seen: list[sandbox.Served] = []
    monkeypatch.setattr("runner.sandbox.Served.wait", lambda one: seen.append(one))  # noqa: PLW0108
    return seen


@pytest.mark.parametrize("words", [[], ["--help"], ["serve", "--help"]])
def test_sandbox_says_how_it_is_used(words: list[str], line: Run) -> None:
    said = line("sandbox", *words)
    assert said.code == 0
    assert said.out.startswith("declarest sandbox serve SERVICE\n")
    for word in (
        "--port N", "--host ADDRESS", "--latency TIME", "--command-time TIME", "--operating TIME", "--fault LIST",
        "--seed N", "--shift insert", "--rows NAME", "--limits", "--memory", "--quiet", "--state FILE", "--methods DIR",
        *KINDS,
    ):  # fmt: skip
        assert f"\n  {word}" in said.out, word


def test_a_served_sandbox_prints_an_address_that_takes_calls(
    line: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []

    def visit(served: sandbox.Served) -> None:
        def ask() -> None:
            words = urllib.request.Request(f"{served.address}/rest/1/sandbox/user.current", b"{}", method="POST")
            words.add_header("Content-Type", "application/json")
            with urllib.request.urlopen(words, timeout=5) as reply:
                answers.append(json.load(reply))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

    monkeypatch.setattr("runner.sandbox.Served.wait", visit)
    said = line("sandbox", "serve", "bitrix24", "--port", "0", "--state", str(desk / "kept.sqlite"))
    assert said.code == 0
    assert said.out.startswith("http://127.0.0.1:")
    assert said.out.endswith("/rest/1/sandbox/\n")
    first, page, *rest = said.err.splitlines()
    assert first == "this is the address of the sandbox's own account; stop with Ctrl-C"
    place = said.out.strip().removeprefix("http://").partition("/")[0]
    assert page == (
        "an application is let in by its page with: echo sandbox-key | declarest login bitrix24 sandbox --scheme http "
        f"--portal {place} --oauth http://{place} --client-id local.sandbox --client-secret -"
    )
    assert answers[0]["result"]["NAME"] == "Anna"
    assert len(rest) == 1
    assert "user.current" in rest[0]
    assert "/1/sandbox/" not in rest[0]
    assert (desk / "kept.sqlite").exists()


def test_a_service_without_pasted_addresses_prints_its_own(line: Run, desk: Path, served: list[sandbox.Served]) -> None:
    folder = desk / "methods" / "letters"
    folder.mkdir(parents=True)
    service = (
        "spec: 1\nservice: letters\ntitle: Letters\nprofile: {properties: {server: {type: string, format: uri}}}\n"
        "auth: {none: {needs: [server], base: '{server}/'}}\nsandbox: {credentials: {server: 'http://{host}'}}\n"
    )
    (folder / "_service.yaml").write_text(service)
    (folder / "ping.yaml").write_text("method: ping\nsummary: Say pong\neffect: read\n")
    said = line("sandbox", "serve", "letters", "--port", "0")
    assert said.out == f"{served[0].address}\n"
    (folder / "_service.yaml").write_text(service.replace("}}}\n", "}}, accept: {link: ['{server}#{other}']}}\n", 1))
    assert line("sandbox", "serve", "letters", "--port=0").out == f"{served[1].address}\n"


def test_a_sandbox_that_can_not_keep_its_state_says_so(line: Run, desk: Path, served: list[sandbox.Served]) -> None:
    (desk / "file").touch()
    said = line("sandbox", "serve", "notes", "--port", "0", "--state", "file/kept.sqlite")
    assert said.code == 0
    assert "file/kept.sqlite" in said.err.splitlines()[0]


def test_a_port_that_is_taken_is_told(line: Run, desk: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = line("sandbox", "serve", "notes", "--port", str(port))
    assert said == (2, "", f"error: can't listen on 127.0.0.1:{port}: address already in use\n")


def test_a_reset_forgets_what_was_stored(line: Run, desk: Path) -> None:
    add = ["bitrix24", "im.chat.add", "--title", "A", "--sandbox"]
    assert [line(*add).data, line(*add).data] == [1, 2]
    assert line("sandbox", "reset", "bitrix24") == (0, "", "the sandbox of bitrix24 is as it was at first\n")
    assert line(*add).data == 1
    kept = [*add, "--state", "kept.sqlite"]
    assert [line(*kept).data, line(*kept).data] == [1, 2]
    assert line("sandbox", "reset", "bitrix24", "--state", "kept.sqlite").code == 0
    assert line(*kept).data == 1


def test_where_there_is_one_service_it_is_meant(line: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.folders.built_in", lambda what: "nowhere" if what == "methods" else built_in(what))
    assert line("sandbox", "reset").err == "the sandbox of notes is as it was at first\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["srve", "notes"], "the sandbox can't 'srve'; did you mean serve?"),
        (["fly"], "the sandbox can't 'fly'; serve or reset"),
        (["serve"], "which service?; write declarest sandbox serve SERVICE"),
        (["serve", "note"], "there is no service 'note'; did you mean notes?"),
        (["serve", "notes", "bitrix24"], "the sandbox plays one service at a time, not notes bitrix24"),
        (["serve", "notes", "--prt", "1"], "sandbox has no option --prt; did you mean --port?"),
        (["serve", "notes", "--port", "x"], "--port takes a whole number from 0, not 'x'"),
        (["serve", "notes", "--raw"], "sandbox has no option --raw; did you mean --rows?"),
        (["reset", "notes", "--dry-run"], "sandbox reset has no option --dry-run; it has --methods, --state"),
        (["reset", "notes", "--limits"], "sandbox reset has no option --limits; it has --methods, --state"),
        (["serve", "notes", "--latency", "50"], "--latency takes a time such as 50ms or 2s, not '50'"),
        (["serve", "notes", "--command-time", "x"], "--command-time takes a time such as 50ms or 2s, not 'x'"),
        (["serve", "notes", "--seed", "x"], "--seed takes a whole number from 0, not 'x'"),
        (["serve", "notes", "--shift", "insert"], "--shift takes insert:N,delete:N, not 'insert'"),
        (["serve", "notes", "--shift", "move:1"], "--shift takes insert:N,delete:N, not 'move'"),
        (["serve", "notes", "--rows", "note:x"], "--rows takes COLLECTION:N or METHOD:N, not 'note:x'"),
        (["serve", "notes", "--fault", "rest"], "'rest' is no fault; did you mean reset?"),
        (
            ["serve", "notes", "--state", "x", "--memory"],
            "--state and --memory contradict each other; leave one of them out",
        ),
    ],
)
def test_a_slip_is_met_with_what_was_meant(words: list[str], told: str, line: Run) -> None:
    assert line("sandbox", *words) == (2, "", f"error: {told}\n")


def test_a_port_that_is_none_is_refused(line: Run) -> None:
    said = line("sandbox", "serve", "notes", "--port", "99999")
    assert said.code == 2
    assert said.err == "error: --port takes a number from 0 to 65535, not 99999\n"


def test_what_a_line_says_is_what_is_served(line: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    words: list[dict[str, Any]] = []
    replies = []

    def visit(served: sandbox.Served) -> None:
        address = f"{served.address}/rest/1/sandbox/crm.deal.list"
        with urllib.request.urlopen(address, timeout=5) as reply:
            replies.append(json.load(reply))
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("runner.sandbox.Served.wait", visit)
    start, before = sandbox.start, sys.getswitchinterval()

    def started(*given: Any, **more: Any) -> sandbox.Served:
        words.append(dict(more))
        return start(*given, **more)

    monkeypatch.setattr("runner.sandbox.start", started)
    said = line(
        "sandbox", "serve", "bitrix24", "--port=0", "--memory", "--latency", "1ms", "--command-time=2ms",
        "--operating", "2s", "--fault", "reset@9", "--seed", "7", "--limits", "--quiet", "--token-life", "1h",
        "--shift", "insert:3,delete:4", "--rows", "crm.deal:120, crm.lead.list:60",
    )  # fmt: skip
    assert said.code == 0
    assert said.err.splitlines()[1:] == ["the sandbox is closed"]
    (given,) = words
    shift = given.pop("shift")
    assert (shift.insert_every, shift.delete_every) == (3, 4)
    assert given == {
        "state": ":memory:", "host": "127.0.0.1", "port": 0, "latency": 0.001, "command_time": 0.002,
        "operating": 2.0, "fault": "reset@9", "seed": 7, "limits": True, "token_life": 3600.0,
    }  # fmt: skip
    assert (replies[0]["total"], replies[0]["time"]["operating"]) == (120, 2)
    assert sys.getswitchinterval() == before


def test_outside_of_the_main_thread_signals_are_left_alone(line: Run, served: list[sandbox.Served]) -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(line("sandbox", "serve", "notes", "--port=0", "--memory")))
    thread.start()
    thread.join()
    assert found[0].code == 0
    assert len(served) == 1


def test_where_a_process_may_not_hold_more_files_it_serves_all_the_same(
    line: Run, served: list[sandbox.Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert line("sandbox", "serve", "notes", "--port=0", "--memory").code == 0


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(word: signal.Signals, desk: Path, cache: Path) -> None:
    known = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(sandbox.__file__).parents[2]),
        "DECLAREST_METHODS": os.environ["DECLAREST_METHODS"],
        "DECLAREST_CACHE_DIR": str(cache),
    }
    words = [sys.executable, "-m", "runner", "sandbox", "serve", "notes", "--port", "0", "--memory"]
    with subprocess.Popen(words, env=known, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(word)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said.splitlines()[-1]) == (0, "the sandbox is closed")
