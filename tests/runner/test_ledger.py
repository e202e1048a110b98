"""Where limits are kept: real files, real processes, a real Redis where one is installed."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner import AsyncClient, CallError, Client, RunnerWarning, ledger, remote
from runner.bucket import FOREVER, OPERATIONS, SLACK, UNKNOWN
from runner.cli.main import main
from runner.ledger import File, Lasting, Memory, choose
from runner.remote import LedgerError, Redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.catalog import Catalog
    from runner.ledger import Ledger

REPOSITORY = Path(__file__).parents[2]
KEY = b"k" * 16
STEP, BURST = 0.01, 20
CLOSE = 1e-6


def take(kept: Ledger, now: float = 1000.0) -> float:
    return kept.turn(KEY, "take", now, STEP, BURST, SLACK, FOREVER)


def free(kept: Ledger, now: float = 1000.0) -> float:
    return kept.turn(KEY, "free", now, STEP, BURST, SLACK)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "state" / "limits.db")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Redis, started for the tests."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    folder = tmp_path_factory.mktemp("redis")
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        with subprocess.Popen([program, *words], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            if not any("Ready to accept" in said for said in process.stdout):
                continue  # it has ended: somebody else was quicker to take the port
            try:
                yield f"redis://127.0.0.1:{port}/0"
            finally:
                process.terminate()
            return


@pytest.fixture
def shared(server: str) -> Iterator[Redis]:
    with closing(Redis(server)) as kept:
        kept._client.flushdb()
        yield kept


def run(code: str, *words: str) -> subprocess.Popen[str]:
    """A process of its own that runs some lines."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *words],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outputs(processes: list[subprocess.Popen[str]]) -> list[str]:
    found = []
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        found.append(out)
    return found


TAKING = f"""
import sys, time
from runner import ledger
kept = ledger.choose(sys.argv[1])
for _ in range(int(sys.argv[2])):
    now = time.monotonic()
    print(repr(now + kept.turn({KEY!r}, "take", now, {STEP}, {BURST}, {SLACK}, 1e300)))
kept.close()
"""


def within(departures: list[float]) -> None:
    """No window of time holds more departures than the bucket and what leaks out of it meanwhile."""
    level, before = 0.0, 0.0
    for departure in sorted(departures):
        level = max(0.0, level - (departure - before) / STEP) + 1
        before = departure
        assert level <= BURST + CLOSE


@pytest.mark.parametrize("where", ["memory", "file"])
def test_a_ledger_keeps_what_was_taken(where: str, path: str) -> None:
    kept = choose(path if where == "file" else "memory")
    with closing(kept):
        assert free(kept) == 20.0
        assert [take(kept) for _ in range(22)] == pytest.approx([0.0] * 20 + [SLACK + STEP, SLACK + 2 * STEP])
        assert free(kept) == 0.0
        assert kept.turn(b"other", "hold", 1000.0, 1, 600.0, FOREVER) == 0.0
        kept.turn(b"other", "block", 1000.0, 1030.0, 480.0, 600.0)
        assert kept.turn(b"other", "hold", 1000.0, 1, 600.0, FOREVER) == 30.0


@pytest.mark.parametrize("where", ["memory", "file"])
def test_nothing_is_taken_while_something_is_kept_under_another_key(where: str, path: str) -> None:
    def taken() -> float:
        return kept.turn(KEY, "take", 1000.0, STEP, BURST, SLACK, FOREVER, unless=b"window")

    with closing(choose(path if where == "file" else "memory")) as kept:
        assert [taken(), taken(), free(kept)] == [0.0, 0.0, 18.0]
        kept.turn(b"window", "block", 1000.0, 1030.0, 480.0, 600.0)
        assert [taken(), taken(), free(kept)] == [UNKNOWN, UNKNOWN, 18.0]
        assert kept.turn(b"new", "take", 1000.0, STEP, BURST, SLACK, FOREVER, unless=b"window") == UNKNOWN
        assert kept.turn(b"new", "free", 1000.0, STEP, BURST, SLACK) == 20.0


def test_what_another_process_learns_of_a_window_is_seen_at_the_next_turn(path: str) -> None:
    block = "import sys; from runner.ledger import choose; kept = choose(sys.argv[1]); kept.turn(b'window', 'block', "
    with closing(choose(path)) as kept:
        assert kept.turn(KEY, "take", 1000.0, STEP, BURST, SLACK, FOREVER, unless=b"window") == 0.0
        outputs([run(f"{block}1000.0, 1030.0, 480.0, 600.0)", path)])
        assert kept.turn(KEY, "take", 1000.0, STEP, BURST, SLACK, FOREVER, unless=b"window") == UNKNOWN
        assert free(kept) == 19.0


def test_a_file_stays_small(path: str) -> None:
    with closing(choose(path)) as kept:
        for number in range(1000):
            take(kept, 1000.0 + number)
        assert sum(file.stat().st_size for file in Path(path).parent.iterdir()) < 200_000


def test_four_processes_that_begin_at_once_share_one_bucket(path: str) -> None:
    found = outputs([run(TAKING, path, "100") for _ in range(4)])
    departures = [float(line) for text in found for line in text.split()]
    assert len(departures) == 400
    within(departures)
    assert max(departures) - min(departures) <= 380 * STEP + SLACK + 1 + CLOSE


def test_processes_that_are_killed_take_no_more_than_the_places_they_had(path: str) -> None:
    taking = TAKING.replace("1e300)))", "1e300)), flush=True)")
    processes = [run(taking, path, "5000") for _ in range(6)]
    found = []
    for number, process in enumerate(processes):
        assert process.stdout
        found += [float(process.stdout.readline()) for _ in range(5 + 7 * number)]
        process.kill()
        found += [float(line) for line in process.stdout if line.endswith("\n")]
        process.communicate()
    (last,) = outputs([run(TAKING, path, "40")])
    within([*found, *map(float, last.split())])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_what_a_process_was_given_with_it_is_lost_when_it_is_killed_and_leaks(path: str) -> None:
    code = f"""
import os, signal, sys
from runner.ledger import choose
kept = choose(sys.argv[1])
for _ in range(4):
    kept.turn({KEY!r}, "take", 1000.0, {STEP}, {BURST}, {SLACK}, 1e300)
if not os.fork():
    kept.turn({KEY!r}, "take", 1000.0, {STEP}, {BURST}, {SLACK}, 1e300)
os.kill(os.getpid(), signal.SIGKILL)
"""
    run(code, path).communicate()
    with closing(choose(path)) as kept:
        for _ in range(500):  # the child may be killed later than its parent
            if free(kept) == BURST - 4 - 3 - 1:
                break
            time.sleep(0.01)
        assert free(kept) == BURST - 4 - 3 - 1
        assert free(kept, 1000.0 + SLACK + 8 * STEP) == BURST


def test_processes_that_come_and_go_lose_nothing(path: str) -> None:
    coming = f"import sys\nfor _ in range(25):\n    sys.argv[2] = '4'\n    exec({TAKING!r})"
    outputs([run(coming, path, "0") for _ in range(4)])
    with closing(sqlite3.connect(path)) as file:
        (state,) = file.execute("SELECT state FROM limits").fetchone()
    assert len(state) == 24
    assert not list(Path(path).parent.glob("*-wal"))


def test_a_storm_of_threads_shares_one_bucket(path: str) -> None:
    def one(_: int) -> float:
        now = time.monotonic()
        return now + kept.turn(KEY, "take", now, STEP, BURST, SLACK, FOREVER)

    with closing(choose(path)) as kept, ThreadPoolExecutor(64) as pool:
        within(list(pool.map(one, range(640))))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_opens_the_file_for_itself(path: str) -> None:
    code = f"""
import os, sys
from runner.ledger import choose
kept = choose(sys.argv[1])
turn = lambda: kept.turn({KEY!r}, "take", 1000.0, {STEP}, {BURST}, {SLACK}, 1e300)
turn()
file = kept._ledger
if sys.argv[2] == "held": file._lock.acquire()
if not (child := os.fork()):
    kept.close() if sys.argv[2] == "closed" else turn()
    os._exit(0)
os.waitpid(child, 0)
if sys.argv[2] == "held": file._lock.release()
turn()
print(kept.turn({KEY!r}, "free", 1000.0, {STEP}, {BURST}, {SLACK}))
"""
    processes = [run(code, f"{path}{way}", way) for way in ("plain", "held", "closed")]
    assert outputs(processes) == ["17.0\n", "17.0\n", "18.0\n"]


def test_what_was_opened_before_a_fork_is_left_to_the_parent(path: str) -> None:
    with closing(File(path, ours=False)) as kept:
        take(kept)
        parents, kept._process = kept._open, -1
        assert take(kept) == 0.0
        assert kept._open is not parents
        ledger._closed(parents, -1)
        assert parents.execute("SELECT count(*) FROM limits").fetchone() == (1,)


def test_a_row_that_holds_something_else_is_begun_anew(path: str) -> None:
    with closing(File(path, ours=False)) as kept:
        take(kept)
        kept._open.execute("UPDATE limits SET state = x'00'")
        assert free(kept) == 20.0
        take(kept)
        assert free(kept) == 19.0


def test_the_file_is_its_owners_alone_and_holds_no_secret(path: str, catalog: Catalog) -> None:
    method = catalog.method("library", "book.get")
    with closing(choose(path)) as kept:
        take(kept)
        kept.turn(ledger.key([method.service.name, "library.example", "Sesame"]), "take", 0.0, 1.0, 5, SLACK, FOREVER)
        files = list(Path(path).parent.iterdir())
        assert Path(path) in files
        for file in files:
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert b"Sesame" not in file.read_bytes()
            assert b"library" not in file.read_bytes()
    assert stat.S_IMODE(Path(path).parent.stat().st_mode) == 0o700


def test_keys_tell_parts_apart() -> None:
    assert len({ledger.key(parts) for parts in (["a", "b"], ["ab"], ["a", None], ["a", 1], ["a", "\udc80"])}) == 5


def test_a_file_is_let_go_of_with_its_ledger(path: str) -> None:
    import gc

    kept = File(path, ours=False)
    take(kept)
    open_file, end = kept._open, kept._end
    del kept
    gc.collect()
    assert not end.alive
    with pytest.raises(sqlite3.ProgrammingError):
        open_file.execute("SELECT 1")


def test_what_is_closed_opens_again(path: str) -> None:
    kept = choose(path)
    take(kept)
    for _ in range(2):
        kept.close()
    assert free(kept) == 19.0
    kept.close()


def told(kept: Ledger) -> str:
    """What a ledger says when it is used, which must be said once."""
    with pytest.warns(RunnerWarning) as caught:
        assert take(kept) == 0.0
    assert take(kept) == 0.0
    assert free(kept) == 18.0
    kept.close()
    return str(caught[0].message)


def test_a_damaged_file_that_was_named_is_left_alone(path: str) -> None:
    Path(path).parent.mkdir()
    Path(path).write_text("a diary" * 1000, encoding="ascii")
    said = told(choose(path))
    assert said == f"can't share the limits through {path}: file is not a database; other programs are not seen"
    assert Path(path).read_text(encoding="ascii") == "a diary" * 1000


def damage_all(path: Path) -> None:
    path.write_bytes(b"x" * 8192)


def damage_inside(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:512] + b"x" * 512)


@pytest.mark.parametrize("damage", [damage_all, damage_inside])
def test_a_damaged_file_of_ours_is_made_anew(home: Path, damage: Callable[[Path], None]) -> None:
    path = home / "state" / "limits.db"
    with closing(choose(None)) as kept:
        take(kept)
    damage(path)
    with closing(choose(None)) as kept:
        take(kept)
    with closing(choose(str(path))) as kept:
        assert free(kept) == 19.0


def test_a_file_that_stays_damaged_is_given_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.unlink", lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    path = home / "state" / "limits.db"
    path.parent.mkdir()
    damage_all(path)
    assert "file is not a database" in told(choose(None))


def test_a_folder_that_can_not_be_made_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "File exists" in told(choose(str(tmp_path / "file" / "limits.db")))
    assert "Is a directory" in told(choose(str(tmp_path)))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_can_not_be_written_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)
    assert "Permission denied" in told(choose(str(tmp_path / "shut" / "limits.db")))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
@pytest.mark.parametrize("room", [0, 4096])
def test_a_full_disk_holds_nobody_up(path: str, room: int) -> None:
    code = "import sys\nsys.dont_write_bytecode = True  # half of a file would stay\n"
    code += f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
    code += "import warnings\nwarnings.simplefilter('always')\n" + TAKING
    process = run(code, path, "21")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(out.split()) == 21
    assert err.count("can't share the limits through") == 1


def test_a_file_that_is_locked_is_waited_for_once_and_tried_again_later(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "PATIENCE", 0.05)
    clock = [0.0]
    kept = Lasting(File(path, ours=True), "the file", lambda: clock[0])
    take(kept)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        said = told(kept)
        clock[0] += ledger.REST + 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert take(kept) == 0.0
        other.execute("ROLLBACK")
    assert said == "can't share the limits through the file: database is locked; other programs are not seen"
    assert free(kept) == 17.0
    clock[0] += ledger.REST + 1
    assert free(kept) == 19.0
    kept.close()


def test_threads_that_waited_for_one_that_gave_up_do_not_wait_again(path: str) -> None:
    kept = File(path, ours=False)
    kept._failed, kept._fault = time.monotonic() + 100, "database is locked"
    with pytest.raises(LedgerError, match="database is locked"):
        take(kept)


def test_a_file_that_others_are_just_beginning_is_waited_for(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = File(path, ours=False)
    begun, faults = kept._begun, [sqlite3.OperationalError("database is locked")] * 3

    def begin(self: File) -> Any:
        if faults:
            raise faults.pop()
        return begun()

    monkeypatch.setattr(File, "_begun", begin)
    assert take(kept) == 0.0
    kept.close()
    faults.append(sqlite3.OperationalError("unable to open database file"))
    with pytest.raises(LedgerError, match="unable to open"):
        take(kept)


@pytest.mark.parametrize(
    ("where", "variable", "expected"),
    [
        (None, None, "state/limits.db"),
        (None, "{home}/other.db", "other.db"),
        ("{home}/this.db", "memory", "this.db"),
        ("", "{home}/other.db", "state/limits.db"),
    ],
)
def test_the_place_is_an_argument_or_the_environment_or_the_users_folder(
    where: str | None, variable: str | None, expected: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable:
        monkeypatch.setenv("DECLAREST_LIMITS", variable.format(home=home))
    with closing(choose(where.format(home=home) if where else where)) as kept:
        assert not list(home.iterdir())
        take(kept)
    assert [file.relative_to(home).as_posix() for file in home.rglob("*.db")] == [expected]


def test_memory_makes_no_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECLAREST_LIMITS", "memory")
    assert isinstance(choose(None), Memory)


def test_a_path_may_begin_at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    with closing(choose("~/mine.db")) as kept:
        take(kept)
    assert (home / "mine.db").exists()


def test_clients_of_one_file_share_their_limits(library: Callable[..., Client], wire: Any, home: Path) -> None:
    one, two = library(), library()
    for client in [one] * 15 + [two] * 6:
        wire.say({"value": {}})
        client.call("book.get", id=1)
    assert one._sleep.__self__.slept == pytest.approx([SLACK + 0.1])  # type: ignore[attr-defined]
    one.close()
    two.close()
    assert (home / "state" / "limits.db").exists()


async def test_an_async_client_may_name_its_place(catalog: Catalog, async_wire: Any, path: str) -> None:
    words: dict[str, Any] = {"methods": catalog, "transport": async_wire, "host": "library.example", "token": "t"}
    async with AsyncClient("library", limits=path, **words) as client:
        async_wire.say({"value": {}})
        await client.call("book.get", id=1)
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM limits").fetchone() == (1,)


def test_the_sandbox_keeps_no_limits(catalog: Catalog, tmp_path: Path, home: Path) -> None:
    with Client("library", methods=catalog, sandbox=str(tmp_path / "s.db"), limits=str(tmp_path / "l.db")) as client:
        for _ in range(25):
            client.call("book.get", id=1)
        assert client._planner.session.book.free(client.methods.get("book.get"), {}, 0.0) == (float("inf"),) * 2
    assert not (tmp_path / "l.db").exists()
    assert not (home / "state" / "limits.db").exists()


def test_the_command_says_in_a_line_that_limits_are_not_shared(
    home: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DECLAREST_LIMITS", str(home))
    words = ["--methods", str(REPOSITORY / "tests" / "service"), "--insecure"]
    words += ["--url", f"http://127.0.0.1:{closed_port}", "--token", "t", "--id", "1"]
    monkeypatch.setattr("runner.plan._dice", lambda: 0.0)
    assert main(["library", "book.get", *words]) == 5
    first, *_ = capsys.readouterr().err.splitlines()
    assert first == f"warning: can't share the limits through {home}: Is a directory; other programs are not seen"


# Redis


def test_without_its_client_a_redis_is_a_mistake_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(CallError, match=r"pip install 'declarest\[redis\]'"):
        choose("redis://127.0.0.1:1/0")


def test_an_address_that_names_no_redis_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(CallError) as caught:
        choose("redis://:Sesame/Open@127.0.0.1:1/0")
    assert str(caught.value) == "the limits name no Redis; write redis://host:port/0"


@pytest.mark.parametrize("form", ["redis://:Sesame@127.0.0.1:{port}/0", "unix://:Sesame@/nowhere/{port}"])
def test_a_redis_that_is_not_there_holds_nobody_up(form: str, closed_port: int) -> None:
    said = told(choose(form.format(port=closed_port)))
    name = "127.0.0.1" if form.startswith("redis") else "this machine"
    assert said == f"can't share the limits through the Redis at {name}: ConnectionError; other programs are not seen"


def test_a_redis_that_goes_away_holds_nobody_up(server: str, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = choose(server)
    take(kept)
    monkeypatch.setattr(kept._ledger._client.connection_pool, "connection_kwargs", {"port": closed_port})  # type: ignore[attr-defined]
    kept._ledger._client.connection_pool.disconnect()  # type: ignore[attr-defined]
    kept._ledger._client.connection_pool.reset()  # type: ignore[attr-defined]
    assert "ConnectionError" in told(kept)


def test_a_redis_keeps_what_was_taken_by_its_own_clock(shared: Redis) -> None:
    slow = (60.0, 3, SLACK)
    for now in (0.0, 1e12, -1e12):
        assert shared.turn(KEY, "take", now, *slow, FOREVER) == 0.0
    assert shared.turn(KEY, "free", 0.0, *slow) == 0.0
    assert 50 < shared.turn(KEY, "take", 0.0, *slow, FOREVER) <= 60 + SLACK
    assert shared._client.keys() == [b"declarest:limit:" + KEY.hex().encode()]
    assert 0 < shared._client.pttl(shared._client.keys()[0]) <= remote.DAY


def test_a_redis_takes_nothing_while_something_is_kept_under_another_key(shared: Redis) -> None:
    def taken() -> float:
        return shared.turn(b"gate", "take", 0.0, STEP, BURST, SLACK, FOREVER, unless=b"window")

    assert taken() == 0.0
    shared.turn(b"window", "block", 0.0, time.time() + 30, 480.0, 600.0)
    assert taken() == UNKNOWN
    assert shared.turn(b"gate", "free", 0.0, STEP, BURST, SLACK) >= 19.0


def test_machines_share_one_bucket_through_a_redis(server: str, shared: Redis) -> None:
    code = TAKING.replace(f"{STEP}, {BURST}", f"60.0, {BURST}")
    found = outputs([run(code.replace("repr(now + ", "repr(0 + "), server, "10") for _ in range(4)])
    pauses = sorted(float(line) for text in found for line in text.split())
    assert pauses[:20] == [0.0] * 20
    for number, pause in enumerate(pauses[20:], 1):
        assert 60 * number - 60 < pause <= 60 * number + SLACK


SECONDS = st.floats(0, 700)
NUMBERS = {
    "take": st.tuples(
        st.just(0.5), st.just(5.0), st.just(0.2), st.sampled_from([0.5, FOREVER]), st.sampled_from([1.0, 2.0])
    ),
    "fill": st.tuples(st.just(0.5), st.just(5.0), st.just(0.2), st.sampled_from([0.0, 0.3, FOREVER])),
    "free": st.tuples(st.just(0.5), st.just(5.0), st.just(0.2)),
    "opened": st.tuples(),
    "delay": st.tuples(st.just(1000.0), st.floats(0, 1)),
    "spend": st.tuples(SECONDS, st.one_of(st.just(UNKNOWN), SECONDS), SECONDS, st.just(480.0), st.just(600.0)),
    "hold": st.tuples(st.integers(1, 50), st.just(600.0), st.sampled_from([30.0, FOREVER])),
    "block": st.tuples(st.one_of(st.just(UNKNOWN), SECONDS), st.just(480.0), st.just(600.0)),
    "due": st.tuples(st.just(600.0)),
    "pace": st.tuples(st.just(600.0)),
}
GAPS = st.one_of(st.just(0.0), st.floats(0, 1), st.floats(0, 100), st.just(-3.0), st.just(-60.0), st.just(900.0))


def turns(*names: str) -> Any:
    return st.lists(st.tuples(GAPS, st.one_of([st.tuples(st.just(one), NUMBERS[one]) for one in names])), max_size=25)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(turns("take", "fill", "free", "opened", "delay"), turns("spend", "hold", "block", "due", "pace")))
def test_a_redis_counts_as_this_process_does(shared: Redis, steps: list[Any]) -> None:
    """The same script, but for the clock, which is given here with the numbers."""
    script = shared._client.register_script(remote._LUA.replace("redis.call('TIME')", "{ARGV[#ARGV], 0}"))
    shared._client.flushdb()
    memory, now = Memory(), 1000.0
    for gap, (operation, numbers) in steps:
        now += gap
        given_numbers = [
            one + now
            if operation in {"spend", "block"} and at == {"spend": 2, "block": 0}[operation] and one >= 0
            else one
            for at, one in enumerate(numbers)
        ]
        theirs = script(keys=["k"], args=[operation, remote.DAY, *map(repr, given_numbers), repr(now)])
        assert float(theirs) == pytest.approx(memory.turn(b"k", operation, now, *given_numbers), abs=1e-6)


def test_every_operation_has_a_twin_in_the_script() -> None:
    assert set(NUMBERS) == set(OPERATIONS)
    assert all(f"function does.{name}(" in remote._LUA for name in OPERATIONS)
