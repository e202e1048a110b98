"""`bulk`: a file of rows, a service that keeps what it did, and what the command says of it."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import runner
from runner.cli import report
from runner.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]
    Write = Callable[..., str]


@pytest.fixture
def write(desk: Path) -> Write:
    """Writes a file into the working folder."""

    def written(text: str | bytes, name: str = "rows.csv") -> str:
        (desk / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return name

    return written


@pytest.fixture
def bulk(line: Run, ledger: Any) -> Run:
    """Runs a line of `bulk` on the ledger."""

    def ran(method: str, *words: str) -> Any:
        return line("bulk", "ledger", method, *ledger.line, *words)

    return ran


HEAD = b"row,line,outcome,value,code,message,hint\r\n"
THREE = "text\none\nbad two\nthree\n"


def lines(text: str) -> list[Any]:
    return [json.loads(one) for one in text.splitlines()]


def test_results_come_in_the_order_of_rows_and_half_a_success_has_its_exit_code(
    bulk: Run, write: Write, ledger: Any, desk: Path
) -> None:
    said = bulk("line.add", "--in", write(THREE))
    assert said.code == 7
    one, two, three = lines(said.out)
    assert one == {"row": 1, "line": 2, "outcome": "done", "value": 1}
    assert (two["outcome"], two["error"]["code"], two["error"]["hint"]) == ("refused", "NO", "Write another line")
    assert (three["row"], three["outcome"]) == (3, "done")
    assert said.err == "error: row 2, line 3: NO: not bad two; Write another line\n2 done, 1 refused\n"
    assert ledger.lines == ["one", "three"]
    assert (desk / "rows.csv.journal").stat().st_mode & 0o777 == 0o600


def test_a_run_of_which_all_was_done_leaves_no_journal(bulk: Run, write: Write, desk: Path) -> None:
    said = bulk("line.add", "--in", write("text\na\nb\n"), "-o", "json")
    assert (said.code, said.err) == (0, "2 done\n")
    assert [row["outcome"] for row in said.data] == ["done", "done"]
    assert [path.name for path in desk.iterdir() if "journal" in path.name] == []


def test_a_run_of_which_nothing_was_done_has_the_code_of_its_error(bulk: Run, write: Write, ledger: Any) -> None:
    assert bulk("line.add", "--in", write("text\nbad\n")).code == 4
    ledger.faults = ["who"]
    said = bulk("line.add", "--in", write("text\na\nb\n", "b.csv"))
    assert said.code == 3
    assert said.err == (
        "error: rows 1 to 2, lines 2 to 3: WHO\n0 done, 2 waiting\n"
        "error: stopped: WHO\nthe same line with --resume goes on with the other 2 rows\n"
    )
    assert [row["outcome"] for row in lines(said.out)] == ["waiting", "waiting"]
    assert bulk("line.add", "--in", "b.csv", "--resume")[::2] == (0, "2 done\n")


def test_failures_can_be_mended_and_fed_in_again(bulk: Run, write: Write, ledger: Any, desk: Path) -> None:
    content = "Name;Text;Note\r\nЁ;one;\r\nЯ;bad two;x\r\n".encode("cp1251")
    words = ["--encoding", "cp1251", "--ignore", "note"]
    said = bulk("line.add", "--in", write(content), *words, "--failed", "failed.csv")
    assert said.err.endswith("1 done, 1 refused (failed.csv)\n")
    failed = (desk / "failed.csv").read_bytes()
    why = '"NO: not bad two; Write another line"'
    assert failed.decode("cp1251") == f"Name;Text;Note;_error\r\nЯ;bad two;x;{why}\r\n"
    write(failed.replace(b"bad", b"good"), "failed.csv")
    assert bulk("line.add", "--in", "failed.csv", *words).code == 0
    assert ledger.lines == ["one", "good two"]


def test_rows_without_an_answer_are_kept_apart_and_not_fed_in_by_luck(
    bulk: Run, write: Write, ledger: Any, desk: Path
) -> None:
    ledger.faults = ["502"]
    said = bulk("line.add", "--in", write("text\na\nb\n"), "--failed", "f.csv", "--unknown", "u.csv", "--out", "o.csv")
    assert (said.code, said.out) == (5, "")
    assert said.err.endswith("0 done, 2 unknown (u.csv)\n")
    assert (desk / "f.csv").read_text() == "text,_error\n"
    assert (desk / "u.csv").read_text().startswith("text,_unknown\na,")
    again = bulk("line.add", "--in", "u.csv")
    assert again.code == 2
    assert again.err.startswith("error: the rows of u.csv may have been carried out already; look which of them")
    assert ledger.lines == ["a", "b"]


@pytest.mark.parametrize("name", ["out.ndjson", "out", "out.json", "out.csv", "out.tsv", "out.xlsx"])
def test_results_are_written_in_the_form_that_the_name_tells(name: str, bulk: Run, write: Write, desk: Path) -> None:
    assert bulk("line.add", "--in", write(THREE), "--out", name)[1] == ""
    with open(desk / name, "rb") as file:
        rows = [row.cells for row in Table(file, name).rows()]
    assert [str(row["row"]) for row in rows] == ["1", "2", "3"]
    assert [row["outcome"] for row in rows] == ["done", "refused", "done"]
    if "csv" in name or "xlsx" in name:
        assert rows[1]["code"] == "NO"
        assert [row["text"] for row in rows] == ["one", "bad two", "three"]


def test_rows_to_mend_may_be_a_workbook_that_is_fed_in_again(bulk: Run, write: Write, desk: Path, ledger: Any) -> None:
    assert bulk("line.add", "--in", write(THREE), "--failed", "failed.xlsx").code == 7
    with open(desk / "failed.xlsx", "rb") as file:
        assert [row.cells["text"] for row in Table(file, "failed.xlsx").rows()] == ["bad two"]
    ledger.lines.clear()
    assert bulk("line.add", "--in", "failed.xlsx").code == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--out", "r.yaml"], "r.yaml: rows are not written as yaml; take .csv, .xlsx, .ndjson or .json"),
        (["--failed", "f.parquet"], "f.parquet: rows to mend are not written as parquet; take .csv"),
        (["--unknown", "u.db"], "u.db: rows to mend are not written as sqlite; take .csv"),
        (["--out", "r.xls"], "there is no way to write .xls files; take .xlsx"),
    ],
)
def test_a_name_that_promises_another_form_is_told_before_anything_is_sent(
    words: list[str], told: str, bulk: Run, write: Write, ledger: Any
) -> None:
    said = bulk("line.add", "--in", write(THREE), *words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"error: {told}")
    assert not ledger.lines


def test_an_empty_file_has_empty_results(bulk: Run, write: Write, desk: Path) -> None:
    for name, content in (
        ("o.json", b"[]\n"),
        ("o.ndjson", b""),
        ("o.csv", HEAD),
    ):
        assert bulk("line.add", "--in", write("text\n"), "--out", name) == (0, "", "0 done\n")
        assert (desk / name).read_bytes() == content


def test_objects_and_workbooks_are_rows_too(bulk: Run, write: Write, ledger: Any, desk: Path, typing: Any) -> None:
    typing(b'{"text": "bad a"}\n{"fields": {"Name": "x"}}\n')
    said = bulk("line.add", "--in", "-", "--failed", "failed.ndjson")
    assert said.code == 7
    assert lines((desk / "failed.ndjson").read_text()) == [
        {"text": "bad a", "_error": "NO: not bad a; Write another line"}
    ]
    assert (desk / "state" / "bulk" / "ledger.line.add.journal").exists()
    typing(b"not read at all")
    assert bulk("line.add", "--in", "-", "--resume").code == 7
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["Text", "Sum"])
    book.active.append(["b", 5])
    book.save(desk / "rows.xlsx")
    assert bulk("line.add", "--in", "rows.xlsx", "--failed", "f.csv").code == 0
    assert ledger.asked[-1]["calls"]["r1"]["params"] == {"text": "b", "sum": 5}


def test_constants_and_columns_are_put_together(bulk: Run, write: Write, ledger: Any) -> None:
    file = write("Who,Junk\nAnna,1\n,2\n")
    words = ["--map", "fields.Name=Who", "--ignore-unknown-columns", "--set", "sum=5", "--text", "t", "fields.Size=3"]
    assert bulk("line.add", "--in", file, *words, "--params", '{"old": "o"}').code == 0
    calls = [one["params"] for one in ledger.asked[0]["calls"].values()]
    assert calls == [
        {"old": "o", "text": "t", "fields": {"Size": 3, "Name": "Anna"}, "sum": 5},
        {"old": "o", "text": "t", "fields": {"Size": 3}, "sum": 5},
    ]


def test_the_whole_input_may_be_given_for_all_rows(bulk: Run, write: Write, ledger: Any) -> None:
    assert bulk("line.get", "--in", write("text\na\n"), "--fields", '{"text": "b"}').code == 0
    assert ledger.asked[0]["calls"]["r1"]["params"] == {"text": "a"}


def test_every_misfit_is_told_before_anything_is_sent(bulk: Run, write: Write, ledger: Any, desk: Path) -> None:
    said = bulk("line.add", "--in", write("text,sum,fields\na,x,\nb,1,{x\n"))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(
        "error: nothing was sent, line.add does not take this:\n"
        '  row 1, line 2: sum: "x" is not a number\n'
        "  row 2, line 3: fields: the value is no JSON"
    )
    assert ledger.asked == []
    assert not (desk / "rows.csv.journal").exists()


def test_warnings_are_told_once(bulk: Run, write: Write) -> None:
    said = bulk("line.add", "--in", write("text,old\na,1\nb,2\n"))
    assert said.err == "warning: old: is deprecated\n2 done\n"


def test_a_dry_run_checks_counts_and_shows_and_sends_nothing(bulk: Run, write: Write, ledger: Any, desk: Path) -> None:
    file = write("text\n" + "a\n" * 23)
    said = bulk("line.add", "--in", file, "--dry-run")
    assert (said.code, said.err) == (0, "")
    assert {name: said.data[name] for name in ("rows", "requests", "least_seconds")} == {
        "rows": 23,
        "requests": 4,
        "least_seconds": 0.0,
    }
    assert list(said.data["first"]["body"]["calls"]) == ["r1", "r2"]
    assert said.data["first"]["headers"]["Authorization"] == "Bearer ***"
    assert ledger.asked == []
    assert sorted(path.name for path in desk.iterdir() if path.is_file()) == ["rows.csv"]
    assert bulk("line.add", "--in", write("text\n"), "--dry-run").data["first"] is None


def test_after_the_first_error_nothing_is_begun_and_the_rest_waits(bulk: Run, write: Write, ledger: Any) -> None:
    file = write("text\n" + "a\n" * 3 + "bad\n" + "c\n" * 20)
    said = bulk("line.add", "--in", file, "--stop-on-error", "--in-order")
    assert said.code == 7
    assert said.err.endswith(
        "3 done, 1 refused, 20 waiting\nerror: stopped: NO: not bad; Write another line\n"
        "the same line with --resume goes on with the other 20 rows\n"
    )
    assert len(lines(said.out)) == 4
    again = bulk("line.add", "--in", file)
    assert again.code == 2
    assert (
        "holds an earlier run (20 waiting, 3 done, 1 refused); --resume goes on with it, --restart forgets" in again.err
    )
    assert "can't read" in bulk("line.add", "--in", f"{file}x", "--journal", f"{file}.journal", "--resume").err
    said = bulk("line.add", "--in", file, "--resume")
    assert [row["outcome"] for row in lines(said.out)].count("done") == 23
    assert len(ledger.lines) == 23
    assert bulk("line.add", "--in", write("text\nz\n"), "--restart").code == 0


def test_many_errors_are_counted(bulk: Run, write: Write) -> None:
    said = bulk("line.add", "--in", write("text\nx\n" + "bad\nx\n" * 1201))
    assert said.err.count("error: row") == 10
    assert said.err.endswith("… and 1,191 more; --out FILE keeps them all\n1,202 done, 1,201 refused\n")


def test_a_full_disk_for_the_answer_leaves_the_journal(bulk: Run, write: Write, ledger: Any, monkeypatch: Any) -> None:
    from runner import CallError

    file = write("text\n" + "a\n" * 5)
    with monkeypatch.context() as patch:

        def full(*_: Any) -> None:
            raise CallError("can't write the answer: no space left on device")

        patch.setattr("runner.cli.console.answer", full)
        said = bulk("line.add", "--in", file)
    assert said.code == 7
    assert said.err.endswith("error: can't write the answer: no space left on device\n")
    with monkeypatch.context() as patch:

        def gone(*_: Any) -> None:
            raise BrokenPipeError

        patch.setattr("runner.cli.console.answer", gone)
        assert bulk("line.add", "--in", file, "--resume").code in {0, 7}
    assert len(ledger.lines) <= 5


def test_verbose_says_what_goes_and_comes(bulk: Run, write: Write, ledger: Any) -> None:
    said = bulk("line.add", "--in", write("text\na\n"), "-v")
    assert said.err.startswith(f"> POST {ledger.url}/batch\n< 200, ")


def test_the_sandbox_takes_rows(line: Run, write: Write, desk: Path) -> None:
    file = write("Title\nA\nB\n")
    said = line("bulk", "bitrix24", "crm.deal.add", "--in", file, "--sandbox", "--state", "kept.sqlite")
    assert (said.code, said.err) == (0, "2 done\n")
    said = line("bulk", "bitrix24", "crm.deal.add", "--in", file, "--sandbox", "--state", "no/place/" + "x" * 300)
    assert said.code == 0
    assert "can't be used" in said.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ledger"], "bulk takes a service and a method; declarest bulk SERVICE METHOD --in FILE"),
        (["ledger", "--in", "a"], "bulk takes a service and a method"),
        (["ledger", "line.add"], "bulk needs the rows; --in FILE, or --in - for standard input"),
        (["ledger", "line.ad", "--in", "a"], "there is no method 'line.ad' in ledger; did you mean line.add"),
        (["ledgr", "line.add", "--in", "a"], "there is no service 'ledgr'"),
        (["ledger", "line.add", "--in", "gone.csv", "TOKEN"], "can't read gone.csv: no such file or directory"),
        (["ledger", "line.add", "--in"], "--in needs a value"),
        (["ledger", "line.add", "--in", "--resume"], "--in needs a value"),
        (["ledger", "line.add", "--in", "rows.csv", "--empty", "perhaps"], "--empty can't be 'perhaps'; send or skip"),
        (
            ["ledger", "line.add", "--in", "rows.csv", "--resume", "--restart"],
            "--resume goes on with a run",
        ),
        (["ledger", "line.add", "--in", "rows.csv", "--all"], "bulk has no option --all"),
        (["ledger", "line.add", "--in", "rows.csv", "--frobnicate", "1"], "line.add has no option --frobnicate"),
        (["ledger", "line.add", "--in", "rows.csv", "--failed", "rows.csv"], "--failed and --in are the same file"),
        (["ledger", "line.add", "--in", "rows.csv", "--out", "no/way"], "can't write no/way: no such file"),
        (
            ["ledger", "line.add", "--in", "rows.csv", "--set", "sum:=x"],
            "nothing was sent, line.add does not",
        ),
        (
            ["ledger", "line.add", "--in", "rows.csv", "TOKEN", "--resume"],
            "there is no journal rows.csv",
        ),
        (
            ["ledger", "line.add", "--in", "rows.csv", "--server", "https://a.example"],
            "no credentials for Ledger: token missing",
        ),
    ],
)
def test_a_slip_of_the_line_is_told(words: list[str], told: str, line: Run, ledger: Any, write: Write) -> None:
    write("text\na\n")
    credentials = ["--server", ledger.url, "--token", "opener"]
    plain = [one for word in words for one in (credentials if word == "TOKEN" else [word])]
    said = line("bulk", "--methods", ledger.root, *plain)
    assert (said.code, said.out) in {(2, ""), (3, "")}
    assert said.err.startswith(f"error: {told}")
    assert ledger.asked == []


def test_a_closed_standard_input_is_told(bulk: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert bulk("line.add", "--in", "-") == (2, "", "error: standard input is closed\n")


def test_a_state_folder_that_can_not_be_made_is_told(bulk: Run, desk: Path, typing: Any) -> None:
    (desk / "state").write_text("a file")
    typing(b"text\na\n")
    said = bulk("line.add", "--in", "-")
    assert said.code == 2
    assert "name a file for the journal with --journal" in said.err
    typing(b"text\na\n")
    assert bulk("line.add", "--in", "-", "--journal", "mine").code == 0


@pytest.mark.parametrize("words", [[], ["--help"], ["ledger", "line.add", "--help"]])
def test_bulk_says_how_it_is_used(words: list[str], line: Run) -> None:
    said = line("bulk", *words)
    assert said.code == 0
    assert said.out.startswith("declarest bulk SERVICE METHOD\n")
    assert "--stop-on-error" in said.out


def test_only_where_somebody_is_there_they_are_asked_before_rows_are_destroyed(
    bulk: Run, write: Write, ledger: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    file = write("text\na\n")
    assert bulk("line.drop", "--in", file).code == 0

    class Person(io.StringIO):
        def isatty(self) -> bool:
            return True

    for answer, extra, code in (("n\n", [], 2), ("y\n", [], 0), ("n\n", ["--yes"], 0)):
        monkeypatch.setattr(sys, "stdin", Person(answer))
        with monkeypatch.context() as patch:
            screen = Person()
            patch.setattr(sys, "stderr", screen)
            assert bulk("line.drop", "--in", file, "--restart", *extra).code == code
        asked = "line.drop for 1 rows can't be undone. Go on? [y/N]" in screen.getvalue()
        assert asked is not bool(extra)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
def test_rows_to_mend_are_written_in_the_encoding_of_the_file(
    encoding: str, bulk: Run, write: Write, desk: Path
) -> None:
    file = write("text\nbad ё\n".encode(encoding))
    words = ["--encoding", encoding] if encoding == "cp1251" else []
    assert bulk("line.add", "--in", file, *words, "--failed", "f.csv").code == 4
    text = (desk / "f.csv").read_bytes().decode(encoding)
    assert next(csv.DictReader(io.StringIO(text)))["text"] == "bad ё"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_interrupted_waits_for_its_requests_and_says_how_to_go_on(
    number: int, ledger: Any, write: Write, desk: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("text\n" + "".join(f"{row}\n" for row in range(300)))
    line = ["bulk", "ledger", "line.add", *ledger.line, "--in", "rows.csv", "--out", "out.ndjson", "--in-order"]
    environment = {**os.environ, "PYTHONPATH": str(Path(runner.__file__).parents[1])}
    asked, answers = threading.Event(), threading.Event()

    def wait(seconds: float) -> bool:
        """Let some rows through, then hold the next request until it is let go."""
        if len(ledger.lines) < 12:
            return True
        asked.set()
        return answers.wait(seconds)

    monkeypatch.setattr(ledger.hold, "wait", wait)
    with subprocess.Popen(
        [sys.executable, "-m", "runner", *line],
        cwd=desk, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        assert asked.wait(60)
        process.send_signal(number)
        first = process.stderr.readline()
        answers.set()
        out, err = process.stdout.read(), process.stderr.read()
    assert first == "stopping: waiting for 1 request that is on its way; Ctrl-C again leaves it\n"
    assert (process.returncode, out) == (128 + number, "")
    done = len(ledger.lines)
    assert done < 300
    assert f"{done} done, {300 - done} waiting\n" in err
    word = "interrupted: " if number == signal.SIGINT else ""
    assert err.endswith(f"\n{word}the same line with --resume goes on with the other {300 - done} rows\n")
    assert len((desk / "out.ndjson").read_text().splitlines()) == done
    ended = subprocess.run(
        [sys.executable, "-m", "runner", *line, "--resume"],
        cwd=desk, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "300 done\n")
    assert sorted(map(int, ledger.lines)) == list(range(300))


def test_a_run_of_which_all_was_done_is_not_said_to_be_interrupted(
    bulk: Run, write: Write, monkeypatch: pytest.MonkeyPatch, ledger: Any
) -> None:
    from runner.journal import Journal

    remove = Journal.remove

    def stopped(journal: Journal) -> None:
        remove(journal)
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "remove", stopped)
    said = bulk("line.add", "--in", write("text\na\n"), "--out", "out.ndjson")
    assert said == (0, "", "1 done\n")
    stopped_early = bulk("line.add", "--in", write("text\na\n", "none.csv"), "--map", "no=text")
    assert stopped_early.code == 130  # nothing was done: it is said


def test_a_file_of_results_that_can_not_be_written_is_told_with_what_was_done(
    bulk: Run, write: Write, desk: Path, ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner import CallError

    file = write(THREE)
    with monkeypatch.context() as patch:

        def full(*_: Any) -> None:
            raise CallError("can't write out.csv: no space left on device")

        patch.setattr(report, "write_results", full)
        said = bulk("line.add", "--in", file, "--out", "out.csv", "--failed", "failed.csv")
    assert said.code == 7
    assert "2 done, 1 refused (failed.csv)\n" in said.err
    told = "can't write out.csv: no space left on device; nothing is lost: --resume with another --out writes it\n"
    assert said.err.endswith(f"error: {told}")
    assert (desk / "failed.csv").read_text().startswith("text,_error")
    again = bulk("line.add", "--in", file, "--out", "other.csv", "--resume")
    assert again.code == 7
    assert len((desk / "other.csv").read_text().splitlines()) == 4
    assert sorted(ledger.lines) == ["one", "three"]


def test_a_run_that_is_stopped_says_what_could_not_be_written_as_well(
    bulk: Run, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner import CallError

    def full(*_: Any, **__: Any) -> None:
        raise CallError("can't write failed.csv: no space left on device", hint="look")

    def stopped(_client: Any, _job: Any) -> Any:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(report, "write_rows", full)
    monkeypatch.setattr("runner.client.Client.carry", stopped)
    said = bulk("line.add", "--in", write("text\na\n"), "--failed", "failed.csv")
    assert said.code == 130
    assert "error: can't write failed.csv: no space left on device; look\n" in said.err


def test_an_interrupt_says_what_it_waits_for_and_how_to_go_on(
    bulk: Run, write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(_client: Any, job: Any) -> Any:
        job.leaving(0)
        job.leaving(3)
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("runner.client.Client.carry", stopped)
    said = bulk("line.add", "--in", write("text\na\n"))
    assert said == (
        130,
        "",
        "stopping: waiting for 3 requests that are on their way; Ctrl-C again leaves them\n0 done, 1 waiting\n"
        "interrupted: the same line with --resume goes on with the other 1 rows\n",
    )


def test_the_line_of_progress_is_gone_when_a_run_is_stopped(
    bulk: Run, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_client: Any, job: Any) -> Any:
        job.leaving(1)
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("runner.client.Client.carry", stopped)
    monkeypatch.setattr("runner.cli.bulk.drawn.Progress.clear", lambda _: sys.stderr.write("(gone)"))
    said = bulk("line.add", "--in", write("text\na\n"), "--out", "out.ndjson")
    waits = "stopping: waiting for 1 request that is on its way; Ctrl-C again leaves it\n"
    assert said.err.startswith(f"(gone){waits}(gone)")


def test_a_person_at_a_terminal_sees_how_far_it_is(ledger: Any, write: Write, desk: Path) -> None:
    write("text\n" + "".join(f"{number}\n" for number in range(60)))
    ledger.latency = 0.1
    line = ["bulk", "ledger", "line.add", *ledger.line, "--in", "rows.csv", "--out", "out.ndjson", "--in-order"]
    environment = {**os.environ, "PYTHONPATH": str(Path(runner.__file__).parents[1]), "CI": "", "TERM": "xterm"}
    mine, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-m", "runner", *line], cwd=desk, env=environment, stderr=theirs)
    os.close(theirs)
    seen = bytearray()

    def read() -> None:
        try:
            while chunk := os.read(mine, 4096):
                seen.extend(chunk)
        except OSError:
            pass

    reader = threading.Thread(target=read)
    reader.start()
    assert process.wait(60) == 0
    reader.join()
    os.close(mine)
    assert b" of 60 rows, " in seen
    assert seen.endswith(b"60 done\r\n")
