"""The command as a process of its own, where signals, pipes and closed streams are real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import runner

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = [sys.executable, "-m", "runner"]


@pytest.fixture
def surroundings(desk: Path, cache: Path) -> dict[str, str]:
    """The environment of a process that knows nothing of this one but its methods and its cache."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(desk),
        "PYTHONPATH": str(Path(runner.__file__).parents[1]),
        "DECLAREST_METHODS": os.environ["DECLAREST_METHODS"],
        "DECLAREST_CACHE_DIR": str(cache),
        "DECLAREST_CONFIG_DIR": str(desk / "config"),
        "DECLAREST_STATE_DIR": str(desk / "state"),
    }


@pytest.fixture
def shell(surroundings: dict[str, str], desk: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a line of the shell, in which `$declarest` is the command."""

    def ran(line: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            env={**surroundings, "declarest": " ".join(COMMAND), **more},
            cwd=desk, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return ran


def told(ended: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    """The exit code and both streams."""
    return ended.returncode, ended.stdout, ended.stderr


Shell = Any


def test_the_command_answers_and_exits(shell: Shell) -> None:
    assert told(shell("$declarest --version")) == (0, f"declarest {runner.__version__}\n", "")
    code, out, err = told(shell("$declarest notes note.ad"))
    assert (code, out) == (2, "")
    assert err.startswith("error: there is no method 'note.ad' in notes; did you mean note.add")


def test_the_whole_input_flows_through_a_pipe(shell: Shell) -> None:
    ended = shell(
        """echo '{"TITLE": "Привет"}' | $declarest im.chat.add --params - --url p.example --token x --dry-run""",
    )
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["body"]["TITLE"] == "Привет"


def test_answers_are_utf_8_whatever_the_surroundings_say(shell: Shell) -> None:
    ended = shell("$declarest notes note.add title=Ё --link http://127.0.0.1:1#x --dry-run", PYTHONIOENCODING="ascii")
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["body"]["title"] == "Ё"


def test_a_word_that_is_no_text_is_refused(shell: Shell) -> None:
    ended = shell("$declarest notes note.add title=$'\\xff' --link http://127.0.0.1:1#x --dry-run")
    assert told(ended) == (2, "", "error: nothing was sent, note.add does not take this:\n  title: is not UTF-8 text\n")


def test_credentials_come_from_the_environment(shell: Shell) -> None:
    ended = shell("$declarest notes note.get id=1 --dry-run", DECLAREST_NOTES_LINK="https://a.example#hidden")
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["url"] == "https://a.example/note.get"
    assert "hidden" not in ended.stdout


def test_a_reader_who_has_had_enough_ends_the_command_in_peace(shell: Shell) -> None:
    ended = shell("$declarest bitrix24 im.chat.add --help | head -1")
    assert told(ended) == (0, "im.chat.add: Create a chat\n", "")
    assert told(shell("$declarest find crm | true"))[::2] == (0, "")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("$declarest notes >&-", "error: standard output is closed; give --out FILE, or send it to /dev/null\n"),
        ("$declarest notes >/dev/full", "error: can't write the answer: no space left on device\n"),
        ("$declarest find note >/dev/full", "error: can't write the answer: no space left on device\n"),
        ("$declarest notes note.get id=- <&- --link http://127.0.0.1:1#x --dry-run", None),
    ],
)
def test_streams_that_do_not_work_are_an_error_in_plain_words(line: str, error: str | None, shell: Shell) -> None:
    ended = shell(line)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr
    if error is None:
        assert ended.stderr.endswith("  id: standard input is closed\n")
    else:
        assert ended.stderr == error


def test_a_closed_standard_error_hinders_nothing(shell: Shell) -> None:
    assert told(shell("$declarest notes note.ad 2>&-")) == (2, "", "")
    ended = shell("$declarest notes note.add title=A size=1 --link http://127.0.0.1:1#x --dry-run 2>&-")
    assert ended.returncode == 0


def test_a_device_can_be_the_place_of_an_answer(shell: Shell) -> None:
    ended = shell("$declarest notes note.get id=1 --sandbox --out /dev/stdout | cat; test -c /dev/null")
    assert ended.returncode == 0
    assert ended.stdout


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("note.drop", 130, "interrupted: note.drop may have been carried out\n"),
        ("note.get", 130, "interrupted\n"),
    ],
)
def test_stopping_a_slow_call_leaves_no_traceback(
    name: str, code: int, said: str, site: Any, surroundings: dict[str, str], desk: Path
) -> None:
    site.say("silence")
    with subprocess.Popen(
        [*COMMAND, "notes", name, "id=1", *site.line],
        env=surroundings, cwd=desk, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        while not site.asked:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (code, "", said)


def test_a_served_sandbox_takes_calls_until_it_is_stopped(
    surroundings: dict[str, str], desk: Path, shell: Shell
) -> None:
    with subprocess.Popen(
        [*COMMAND, "sandbox", "serve", "bitrix24", "--port", "0"],
        env=surroundings, cwd=desk, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        ended = shell(f"$declarest bitrix24 im.chat.add --title 'New chat' --url {address}")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert told(ended) == (0, "1\n", "")
    assert process.returncode == 0
    assert "/sandbox/" not in err
    assert err.endswith("\nthe sandbox is closed\n")


def test_the_sandbox_remembers_from_one_call_to_the_next(shell: Shell) -> None:
    line = "$declarest bitrix24 crm.contact.add fields.NAME=Anna --sandbox"
    ended = shell(f"{line} && {line} && $declarest bitrix24 crm.contact.list --sandbox -q 'length(@)'")
    assert told(ended) == (0, "3\n4\n4\n", "")


def test_an_unknown_host_is_told(shell: Shell) -> None:
    ended = shell("$declarest notes note.get id=1 --server https://portal.invalid --token x")
    assert ended.returncode == 5
    assert ended.stderr.startswith("error: the host portal.invalid is not known; check the spelling")


def test_a_write_whose_answer_can_not_be_written_was_carried_out_all_the_same(shell: Callable[..., Any]) -> None:
    ended = shell("$declarest bitrix24 im.chat.add --title x --sandbox --state :memory: >/dev/full")
    full = "can't write the answer: no space left on device\n"
    assert told(ended) == (7, "", f"error: im.chat.add was carried out, but {full}")
    ended = shell("$declarest bitrix24 user.current --sandbox --state :memory: >/dev/full")
    assert told(ended) == (2, "", f"error: {full}")
