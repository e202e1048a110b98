"""A bulk run that is killed at any point, then gone on with: each row exactly once, or listed as unknown.

`BULK_KILLS=200` makes two hundred kills instead of a few.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import runner

if TYPE_CHECKING:
    from collections.abc import Iterator

KILLS = int(os.environ.get("BULK_KILLS", "24"))
ROWS = 60
NURSERY = """\
import json, os, sys
import httpx, runner.bulk, runner.cli.bulk, runner.transport
from runner.cli import run
for line in sys.stdin:
    child = os.fork()
    if not child:
        os._exit(run(json.loads(line)))
    print(child, flush=True)
    sys.stdin.readline()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Nursery:
    """A process that has imported everything, and runs each line in a child of its own."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(Path(runner.__file__).parents[1])}
        environment.pop("COVERAGE_PROCESS_START", None)
        self.process = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            cwd=folder, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, line: list[str], life: float | None) -> int:
        """The exit code of a line; minus nine where it was killed after so many seconds."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        child = int(self.process.stdout.readline())
        if life is not None:
            time.sleep(life)
            os.kill(child, signal.SIGKILL)  # it is there, living or dead, until its parent asks for its end
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@pytest.fixture
def nursery(desk: Path) -> Iterator[Nursery]:
    found = Nursery(desk)
    yield found
    assert found.process.stdin is not None
    found.process.stdin.close()
    found.process.wait(60)
    assert found.process.stdout is not None
    found.process.stdout.close()


def results(path: Path) -> dict[int, str]:
    """The outcome of each row."""
    return {row["row"]: row["outcome"] for row in map(json.loads, path.read_text().splitlines())}


@pytest.mark.parametrize("method", ["line.add", "line.once"])
def test_killed_at_any_point_a_run_goes_on_and_no_row_is_sent_twice(
    method: str, ledger: Any, nursery: Nursery, desk: Path
) -> None:
    dice, kills, unknown, runs = random.Random(), 0, 0, 0
    ledger.latency = 0.01
    while kills < KILLS // 2:
        runs += 1
        texts = [f"{runs}-{number}" for number in range(ROWS)]
        (desk / "rows.csv").write_text("text\n" + "\n".join(texts) + "\n")
        (desk / "out.ndjson").unlink(missing_ok=True)
        line = ["bulk", "ledger", method, *ledger.line, "--in", "rows.csv", "--out", "out.ndjson", "--unknown", "u.csv"]
        line += ["--in-order"] if dice.random() < 0.7 else []
        code = -9
        while code == -9:
            begun = (desk / "rows.csv.journal").exists()
            life = dice.uniform(0, 0.3) if kills < KILLS // 2 else None
            code = nursery.run([*line, "--resume"] if begun else line, life)
            kills += code == -9
            if code == -9 and (desk / "out.ndjson").exists() and not (desk / "rows.csv.journal").exists():
                code = 0  # killed when all had been done and said
        told = results(desk / "out.ndjson")
        made = Counter(text for text in ledger.lines if text.startswith(f"{runs}-"))
        assert sorted(told) == list(range(1, ROWS + 1))
        assert set(told.values()) <= {"done", "unknown"}
        for number, text in enumerate(texts, 1):
            assert made[text] == 1 if told[number] == "done" else made[text] <= 1
        lost = sum(outcome == "unknown" for outcome in told.values())
        assert code == (7 if lost else 0)
        unknown += lost
        for left in desk.glob("rows.csv.journal*"):
            left.unlink()
    assert kills >= KILLS // 2
    assert method == "line.add" or unknown == 0  # its keys are kept, so that what was lost is asked again
