from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner.cli import call as calling
from runner.cli.progress import Progress, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., Any]

REPOSITORY = Path(__file__).parents[2]
PAGES = [{"result": [{"b": 1, "a": "x"}, {"b": 2}], "next": 2}, {"result": [{"c": [1]}]}]
ALL = ["notes", "note.list", "--all"]


def test_every_page_goes_to_the_file_in_the_form_of_its_name(line: Run, site: Any, desk: Path) -> None:
    site.say(*PAGES)
    assert line(*ALL, *site.line, "--out", "rows.csv") == (0, "", "3 rows written to rows.csv\n")
    assert (desk / "rows.csv").read_text() == "b,a,c\n1,x,\n2,,\n,,[1]\n"
    site.say(*PAGES)
    assert line(*ALL, *site.line, "--out", "rows.jsonl", "--quiet") == (0, "", "")
    assert (desk / "rows.jsonl").read_text() == '{"b":1,"a":"x"}\n{"b":2}\n{"c":[1]}\n'
    site.say(*PAGES)
    assert line(*ALL, *site.line, "--out", "rows.db", "--limit", "1").err == "1 row written to rows.db\n"
    with closing(sqlite3.connect(desk / "rows.db")) as base:
        assert base.execute("SELECT * FROM note_list").fetchall() == [(1, "x")]


@pytest.mark.parametrize(("form", "module"), [("xlsx", "openpyxl"), ("parquet", "pyarrow.parquet")])
def test_a_library_writes_what_another_reads(form: str, module: str, line: Run, site: Any, desk: Path) -> None:
    reader = pytest.importorskip(module)
    pytest.importorskip({"xlsx": "xlsxwriter", "parquet": "pyarrow"}[form])
    site.say(*PAGES)
    assert line(*ALL, *site.line, "--out", f"rows.{form}").code == 0
    if form == "parquet":
        assert reader.read_table(desk / "rows.parquet").to_pydict()["c"] == [None, None, "[1]"]
        return
    with closing(reader.load_workbook(desk / "rows.xlsx")) as book:
        assert book.sheetnames == ["note_list"]
        assert list(book["note_list"].values) == [("b", "a", "c"), (1, "x", None), (2, None, None), (None, None, "[1]")]


def test_the_form_may_be_given_where_the_name_says_nothing(line: Run, site: Any, desk: Path) -> None:
    site.say(*PAGES, *PAGES)
    assert line(*ALL, *site.line, "--out", "rows", "-o", "sqlite", "--table", "t").code == 0
    with closing(sqlite3.connect(desk / "rows")) as base:
        assert base.execute("SELECT count(*) FROM t").fetchone() == (3,)
    assert line(*ALL, *site.line, "--out", "rows.txt").code == 0
    assert len(json.loads((desk / "rows.txt").read_text())) == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-o", "csv", "--out", "x.xlsx"], "--output csv contradicts the name x.xlsx, which ends as xlsx does; "
         "leave --output out, or name a file that ends in .csv"),
        (["--out", "x.xls"], "there is no way to write .xls files; take .xlsx"),
        (["--out", "x.csv.gz"], "there is no way to write .gz files; take .csv, and compress it after"),
        (["-o", "sqlite"], "--output sqlite is for files; add --out FILE.sqlite"),
        (["-o", "sqlite", "--out", "-"], "--output sqlite is for files; add --out FILE.sqlite"),
        (["-o", "sqlite", "--out", "/dev/null"], "sqlite needs a file, and /dev/null is none; "
         "take csv, ndjson or json"),
        (["--bom"], "--bom is for a .csv file"),
        (["--bom", "--out", "x.json"], "--bom is for a .csv file"),
        (["--table", "t", "--out", "x.csv"], "--table is for a .sqlite or .xlsx file"),
        (["--table", " ", "--out", "x.db"],
         "--table can't be ' '; SQLite keeps names that begin with sqlite_ for itself"),
        (["--table", "SQLite_1", "--out", "x.db"],
         "--table can't be 'SQLite_1'; SQLite keeps names that begin with sqlite_ for itself"),
        (["--labels", "--raw"], "--labels is for rows, and --raw prints the whole answer"),
        (["--out", "nowhere/x.csv"], "can't write nowhere/x.csv: no such file or directory"),
    ],
)  # fmt: skip
def test_what_can_not_be_written_is_told_before_anything_is_sent(
    words: list[str], told: str, line: Run, site: Any, desk: Path
) -> None:
    assert line(*ALL, *site.line, *words) == (2, "", f"error: {told}\n")
    assert (site.asked, list(desk.iterdir())) == ([], [])


def test_a_command_that_has_no_rows_has_no_form_of_rows(line: Run, desk: Path) -> None:
    assert line("find", "note", "-o", "sqlite", "--out", "x.db").code == 2
    assert line("-o", "sqlite", "find", "note").code == 2


def test_one_answer_is_rows_as_well_and_what_it_leaves_out_is_told(line: Run, site: Any, desk: Path) -> None:
    site.say(*PAGES, {"result": {"a": {"b": 1}}}, {"result": {"items": [{"a": 1}, {"a": 2}], "n": 2}})
    said = line("notes", "note.list", *site.line, "--out", "rows.csv", "--bom")
    told = "2 rows written to rows.csv\nwarning: these are the rows of the first page; --all reads all of them\n"
    assert said == (0, "", told)
    assert (desk / "rows.csv").read_bytes() == b"\xef\xbb\xbfb,a\n1,x\n2,\n"
    assert line("notes", "note.list", *site.line, "--out", "rows.csv").err == "1 row written to rows.csv\n"
    assert line("notes", "note.get", "id=1", *site.line, "--out", "note.ndjson", "--quiet").err == ""
    assert (desk / "note.ndjson").read_text() == '{"a":{"b":1}}\n'
    assert (
        line("notes", "note.get", "id=1", *site.line, "--out", "n.csv", "-q", "items").err
        == "2 rows written to n.csv\n"
    )
    assert (desk / "n.csv").read_text() == "a\n1\n2\n"


def test_bytes_are_saved_whatever_the_name_promises(line: Run, site: Any, desk: Path) -> None:
    site.say(b"PK\x03\x04", b"PK")
    said = line("notes", "note.picture", *site.line, "--out", "face.xlsx", "--quiet")
    assert said == (0, "", "")
    assert (desk / "face.xlsx").read_bytes() == b"PK\x03\x04"
    assert (
        line("notes", "note.picture", *site.line, "--out", "face.gz", "--labels").err == "2 bytes written to face.gz\n"
    )


def test_a_query_sees_all_rows_at_once(line: Run, site: Any, desk: Path) -> None:
    site.say(*PAGES, *PAGES)
    assert line(*ALL, *site.line, "-q", "[].b", "--out", "b.csv").err == "2 rows written to b.csv\n"
    assert (desk / "b.csv").read_text() == "value\n1\n2\n"
    assert line(*ALL, *site.line, "-q", "length(@)", "--out", "n.json").err == ""
    assert (desk / "n.json").read_text() == "3\n"


@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "yaml", "table"])
def test_rows_are_printed_in_the_forms_of_text(form: str, line: Run, site: Any) -> None:
    site.say(*PAGES)
    said = line(*ALL, *site.line, "-o", form)
    assert (said.code, said.err) == (0, "")
    assert "b" in said.out


def test_a_dry_run_takes_no_file_of_rows_away(line: Run, site: Any, desk: Path) -> None:
    (desk / "rows.xlsx").write_bytes(b"old")
    pytest.importorskip("xlsxwriter")
    for words in (["--all", "--out", "rows.xlsx"], ["--limit", "3", "--out", "rows.json"], ["--out", "rows.csv"]):
        said = line("notes", "note.list", *site.line, *words, "--dry-run")
        assert "/note.list" in said.out
        assert os.listdir(desk) == ["rows.xlsx"]
    assert line(*ALL, *site.line, "--out", "rows.xlsx", "--curl").out.startswith("curl ")
    assert (desk / "rows.xlsx").read_bytes() == b"old"


def test_an_error_on_the_way_leaves_no_file(line: Run, site: Any, desk: Path) -> None:
    site.say(PAGES[0], (404, b'{"error": "NO_NOTE", "text": "Gone"}'))
    said = line(*ALL, *site.line, "--out", "rows.csv")
    assert (said.code, said.out) == (4, "")
    assert said.err.startswith("error: ")
    assert "written" not in said.err
    assert list(desk.iterdir()) == []


def test_names_behind_values_come_from_the_sandbox(line: Run, desk: Path) -> None:
    call = ["bitrix24", "crm.deal.list", "--sandbox", "--labels"]
    assert line(*call, "--all", "--out", "deals.csv").code == 0
    with (desk / "deals.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:6] == ["ID", "TITLE", "CATEGORY_ID", "CATEGORY_ID_label", "STAGE_ID", "STAGE_ID_label"]
    assert [row["STAGE_ID_label"] for row in rows] == ["New", "At work"]
    assert [row["ASSIGNED_BY_ID_label"] for row in rows] == ["Иван Ёлкин", "Anna Ash"]
    assert line(*call).data == line(*call, "--all").data
    assert line(*call, "-q", "[].STAGE_ID_label").data == ["New", "At work"]
    one = line("bitrix24", "crm.deal.get", "id=1", "--sandbox", "--labels").data
    assert (one["STAGE_ID"], one["STAGE_ID_label"]) == ("NEW", "New")
    tasks = line("bitrix24", "tasks.task.list", "--sandbox", "--labels").data
    assert tasks == {"tasks": []}


def test_names_that_can_not_be_had_are_told_and_the_rest_is_done(
    line: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner import Client
    from runner.errors import ServiceError

    inner = Client.plan

    def plan(self: Client, name: str, *more: Any, **words: Any) -> Any:
        if name == "user.get":
            message = "no right"
            raise ServiceError(message)
        return inner(self, name, *more, **words)

    monkeypatch.setattr(Client, "plan", plan)
    said = line("bitrix24", "crm.deal.list", "--sandbox", "--labels", "--all", "--out", "deals.csv")
    assert said == (7, "", "2 rows written to deals.csv\nwarning: ASSIGNED_BY_ID has no labels: no right\n")
    assert line("bitrix24", "crm.deal.get", "id=1", "--sandbox", "--labels").code == 7


def test_an_interruption_says_how_far_it_had_come(line: Run, site: Any, desk: Path, monkeypatch: Any) -> None:
    from runner import Client

    def rows(self: Client, plan: Any, limit: Any) -> Iterator[Any]:
        yield from ({"a": 1}, {"a": 2})
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "rows", rows)
    said = line(*ALL, *site.line, "--out", "rows.csv")
    assert said == (130, "", "interrupted: 2 rows had been read, rows.csv was not written\n")
    assert line(*ALL, *site.line, "-o", "csv").err == "interrupted: 2 rows had been read\n"
    assert list(desk.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_draft(number: int, site: Any, desk: Path) -> None:
    site.say(PAGES[0], "silence")
    words = [*ALL, *site.line, "--out", "rows.csv"]
    before = signal.signal(number, signal.SIG_DFL)  # whoever started this run may have it ignored
    process = subprocess.Popen([sys.executable, "-m", "runner", *words], stderr=subprocess.PIPE, cwd=desk,
                               env={**os.environ, "PYTHONPATH": str(REPOSITORY)})  # fmt: skip
    signal.signal(number, before)
    while len(site.asked) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    word = "interrupted" if number == signal.SIGINT else "stopped"
    assert err.decode().strip() == f"{word}: 2 rows had been read, rows.csv was not written"
    assert process.returncode == (130 if number == signal.SIGINT else 128 + number)
    assert list(desk.glob("rows*")) == []


def test_a_request_to_end_is_told_and_obeyed(line: Run, site: Any, desk: Path, monkeypatch: Any, capsys: Any) -> None:
    from runner import Client
    from runner.cli import run

    def rows(self: Client, plan: Any, limit: Any) -> Iterator[Any]:
        yield 1
        os.kill(os.getpid(), signal.SIGTERM)
        yield 2

    monkeypatch.setattr(Client, "rows", rows)
    with pytest.raises(SystemExit) as caught:
        run([*ALL, *site.line, "--out", "rows.csv"])
    assert caught.value.code == 143
    assert capsys.readouterr().err == "stopped: 1 row had been read, rows.csv was not written\n"
    assert list(desk.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_signals_are_left_alone_outside_the_main_thread_and_where_they_are_not_heard(site: Any, desk: Path) -> None:
    from runner.cli import run

    site.say(*PAGES, *PAGES)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(run([*ALL, *site.line, "--out", "rows.csv"])))
    thread.start()
    thread.join()
    kept = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        codes.append(run([*ALL, *site.line, "--out", "rows.csv"]))
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, kept)
    assert codes == [0, 0]


@pytest.mark.parametrize(
    ("terminal", "quiet", "surroundings", "shown"),
    [
        (True, False, {}, True),
        (True, False, {"CI": "false", "TERM": "xterm"}, True),
        (False, False, {}, False),
        (True, True, {}, False),
        (True, False, {"CI": "1"}, False),
        (True, False, {"TERM": "dumb"}, False),
    ],
)
def test_progress_is_for_somebody_who_looks(
    terminal: bool, quiet: bool, surroundings: dict[str, str], shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    monkeypatch.delenv("CI", raising=False)
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    assert wanted(quiet=quiet) is shown


@pytest.mark.parametrize(
    ("done", "total", "seconds", "text"),
    [
        (1250, None, 2.5, "1,250 rows, 500 a second"),
        (1250, 5000, 2.5, "1,250 of 5,000 rows, 500 a second, 8 s left"),
        (100, 50, 1.0, "100 rows, 100 a second"),
        (10, 1210, 1.0, "10 of 1,210 rows, 10 a second, 2 min 0 s left"),
        (1, 7261, 1.0, "1 of 7,261 rows, 1 a second, 2 h 1 min left"),
    ],
)
def test_a_line_of_progress_has_rate_and_time_left(done: int, total: Any, seconds: float, text: str) -> None:
    progress = Progress(shown=False)
    progress.count = done
    progress.expect(total)
    assert progress.line(seconds) == text


def test_a_line_of_progress_tells_how_many_have_failed() -> None:
    progress = Progress(shown=False, total=100)
    progress.count, progress.failed = 20, 2
    assert progress.line(2.0) == "20 of 100 rows, 2 failed, 10 a second, 8 s left"


def test_a_total_is_no_more_than_was_asked_for() -> None:
    progress = Progress(shown=False, total=3)
    for told, known in ((None, 3), (2, 2), (9, 3)):
        progress.expect(told)
        assert progress.total == known


def test_progress_is_drawn_over_itself_and_gone_at_the_end(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ticks = count(0, 0.2)
    progress = Progress(shown=True, clock=lambda: next(ticks))
    watch = calling.Watch(verbose=True)
    watch.counted(4)
    watch.progress = progress
    watch.counted(4)
    rows = progress.through([1, 2, 3, 4])
    next(rows)
    next(rows)
    first = capsys.readouterr().err
    assert first.startswith("\r1 of 4 rows, ")
    assert "\r2 of 4 rows, " in first
    watch.waits(1.0, "limits")
    said = capsys.readouterr().err
    assert said.endswith("\r  waiting 1.0 s: limits\n")
    assert said[1:].split("\r")[0].strip(" ") == ""
    assert list(rows) == [3, 4]
    assert capsys.readouterr().err.endswith(" \r")


def test_a_quiet_line_says_nothing_of_waiting(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    calling.Watch(verbose=False, quiet=True).waits(9.0, "limits")
    assert capsys.readouterr().err == ""
