"""An authorisation that has run out: renewed once, for all, where it is the account's, and kept before it is used."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner import (
    AsyncClient,
    AuthError,
    Client,
    LimitExceeded,
    RunnerError,
    ServiceError,
    SpecError,
    TransportError,
    profiles,
    renewal,
)
from runner.catalog import Catalog
from runner.errors import CallError
from runner.sandbox import MEMORY, Served, start
from tests.conftest import Wire, reply, still

if TYPE_CHECKING:
    from tests.conftest import AsyncWire, Clock

Json = dict[str, Any]
REPOSITORY = Path(__file__).parents[2]
HOST = "library.example"
OLD = reply({"fault": {"code": "OLD_BADGE", "text": "The badge is too old"}}, 401)
NEW = reply({"value": {"badge": {"now": "badge-2", "next": "spare-2"}, "ends": 5}})
FINE = reply({"value": 7})
FIELDS: Json = {"host": HOST, "badge": "badge-1", "spare": "spare-1", "club": "paper", "club_key": "key-1"}
SECRETS = frozenset(["badge", "spare", "club_key"])
BODY = {"want": "spare", "club": "paper", "key": "key-1", "spare": "spare-1"}


@pytest.fixture
def club(library: Callable[..., Client]) -> Client:
    """A client whose badge can be renewed, by fields that are its arguments."""
    return library(**FIELDS)


def kept(**more: Any) -> Json:
    """A profile with these fields, and what stands in it."""
    profiles.save("library", "work", FIELDS | more, SECRETS, ring=False)
    return profiles.fields("library", "work")


def badges(wire: Wire) -> list[str]:
    """The badges that calls were signed with, `-` for the gate."""
    return [request.headers.get("X-Badge", "-") for request in wire.sent]


# What is asked, and when


def test_a_refusal_that_says_so_is_mended_and_the_call_made_again(club: Client, wire: Wire) -> None:
    wire.say(OLD, NEW, FINE, FINE)
    assert club.call("visit.add").value == 7
    assert club.call("visit.add").value == 7
    assert badges(wire) == ["badge-1", "-", "badge-2", "badge-2"]
    assert wire.urls[1] == "https://gate.example/badges"
    assert wire.bodies[1] == BODY


def test_a_refusal_of_another_kind_is_none_of_its_business(club: Client, wire: Wire) -> None:
    wire.say(reply({"fault": {"code": "NO_CARD"}}, 401))
    with pytest.raises(AuthError):
        club.call("visit.add")
    assert len(wire.sent) == 1


def test_a_refusal_that_stays_is_not_mended_again(club: Client, wire: Wire) -> None:
    wire.say(OLD, NEW, OLD)
    with pytest.raises(AuthError) as caught:
        club.call("visit.add")
    assert caught.value.code == "OLD_BADGE"
    assert badges(wire) == ["badge-1", "-", "badge-2"]


@pytest.mark.parametrize("lacks", ["spare", "club", "club_key"])
def test_what_can_not_be_renewed_stays_refused(lacks: str, library: Callable[..., Client], wire: Wire) -> None:
    wire.say(OLD)
    with pytest.raises(AuthError, match="Get another badge"):
        library(**{name: value for name, value in FIELDS.items() if name != lacks}).call("visit.add")
    assert len(wire.sent) == 1


def test_a_batch_whose_whole_is_refused_is_sent_again(club: Client, wire: Wire) -> None:
    wire.say(OLD, NEW, {"value": {"answers": {"a": 1, "b": 2}}})
    found = club.batch({"a": ("visit.add", {}), "b": ("visit.add", {})})
    assert [found[key].value for key in found] == [1, 2]
    assert badges(wire) == ["badge-1", "-", "badge-2"]


def test_a_new_badge_without_a_new_spare_leaves_the_spare(club: Client, wire: Wire) -> None:
    wire.say(OLD, {"value": {"badge": {"now": "badge-2"}}}, FINE, OLD, NEW, FINE)
    club.call("visit.add")
    club.call("visit.add")
    assert wire.bodies[4]["spare"] == "spare-1"


def test_what_does_not_fit_its_field_is_left_out(club: Client, wire: Wire) -> None:
    wire.say(OLD, {"value": {"badge": {"now": "badge-2", "next": ["x"]}, "ends": "soon"}}, FINE)
    club.call("visit.add")
    found = club._planner.session.credentials.values
    assert (found["badge"], found["spare"], found.get("ends")) == ("badge-2", "spare-1", None)


# What is kept, and where


def test_what_a_profile_holds_is_renewed_in_the_profile(library: Callable[..., Client], wire: Wire) -> None:
    kept(ends=1)
    wire.say(OLD, NEW, FINE)
    assert library(profile="work", limits="memory").call("visit.add").value == 7
    assert profiles.fields("library", "work") == FIELDS | {"badge": "badge-2", "spare": "spare-2", "ends": 5}


def test_what_another_program_has_renewed_is_used(library: Callable[..., Client], wire: Wire) -> None:
    kept()
    client = library(profile="work", limits="memory")
    profiles.renew("library", "work", {"badge": "badge-9", "spare": "spare-9"})
    wire.say(OLD, FINE)
    assert client.call("visit.add").value == 7
    assert badges(wire) == ["badge-1", "badge-9"]


def test_what_another_program_has_renewed_may_have_run_out_as_well(library: Callable[..., Client], wire: Wire) -> None:
    kept()
    client = library(profile="work", limits="memory")
    profiles.renew("library", "work", {"badge": "badge-9", "spare": "spare-9"})
    wire.say(OLD, OLD, NEW, FINE)
    assert client.call("visit.add").value == 7
    assert wire.bodies[2]["spare"] == "spare-9"
    assert badges(wire) == ["badge-1", "badge-9", "-", "badge-2"]


def test_others_that_renew_all_the_time_are_not_followed_for_ever(
    library: Callable[..., Client], wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept()
    client = library(profile="work", limits="memory")
    wire.say(OLD, OLD)
    numbers = iter(range(9))
    monkeypatch.setattr(profiles.Kept, "fresh", lambda _: FIELDS | {"badge": f"badge of another {next(numbers)}"})
    with pytest.raises(AuthError):
        client.call("visit.add")
    assert len(wire.sent) == 2


def test_a_profile_that_is_gone_renews_nothing(library: Callable[..., Client], wire: Wire) -> None:
    kept()
    client = library(profile="work", limits="memory")
    profiles.remove("library", "work")
    wire.say(OLD)
    with pytest.raises(CallError, match="the profile 'work' was removed meanwhile; sign in again"):
        client.call("visit.add")
    assert len(wire.sent) == 1


def test_a_profile_that_became_one_of_another_host_is_not_used(library: Callable[..., Client], wire: Wire) -> None:
    kept()
    client = library(profile="work", limits="memory")
    kept(host="other.example", badge="badge-9")
    wire.say(OLD)
    with pytest.raises(CallError, match=r"was library\.example and is other\.example now"):
        client.call("visit.add")
    assert badges(wire) == ["badge-1"]


def test_a_folder_that_can_not_be_written_uses_nothing_up(
    library: Callable[..., Client], wire: Wire, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept()
    client = library(profile="work", limits="memory")
    (home / "file").write_text("")
    monkeypatch.setenv("DECLAREST_CONFIG_DIR", str(home / "file" / "below"))
    wire.say(OLD)
    with pytest.raises(CallError, match=r"can't read .*Not a directory"):
        client.call("visit.add")
    assert len(wire.sent) == 1


@pytest.mark.parametrize("given", ["badge", "spare", "both"])
def test_what_one_place_gives_renews_nothing_of_another(given: str, library: Callable[..., Client], wire: Wire) -> None:
    """The badge may be another person's than the profile's: theirs must not take its place."""
    kept()
    words = {"badge": {"badge": "b"}, "spare": {"spare": "s"}, "both": {"badge": "b", "spare": "s"}}[given]
    client = library(profile="work", **words)
    wire.say(OLD, NEW, FINE)
    if given == "both":  # a whole one of the caller's, which is renewed in memory
        assert client.call("visit.add").value == 7
    else:
        with pytest.raises(AuthError):
            client.call("visit.add")
        assert len(wire.sent) == 1
    assert profiles.fields("library", "work") == FIELDS


# Those who keep tokens themselves


def test_a_caller_is_told_before_the_new_one_is_used(library: Callable[..., Client], wire: Wire) -> None:
    told: list[tuple[Json, int]] = []
    client = library(**FIELDS, token_saver=lambda news: told.append((news, len(wire.sent))))
    wire.say(OLD, NEW, FINE)
    client.call("visit.add")
    assert told == [({"badge": "badge-2", "spare": "spare-2", "ends": 5}, 2)]


def test_a_caller_is_told_what_a_profile_was_given(library: Callable[..., Client], wire: Wire) -> None:
    kept()
    told: list[Json] = []
    wire.say(OLD, NEW, FINE)
    library(profile="work", token_saver=told.append).call("visit.add")
    assert told[0]["badge"] == profiles.fields("library", "work")["badge"] == "badge-2"


def test_one_who_can_not_keep_it_is_told_what_that_means(library: Callable[..., Client], wire: Wire) -> None:
    def keep(news: Json) -> None:
        raise OSError(f"no room for {news['spare']}")

    client = library(**FIELDS, token_saver=keep)
    wire.say(OLD, NEW, FINE)
    with pytest.raises(AuthError) as caught:
        client.call("visit.add")
    said = "the authorisation was renewed, and could not be kept: no room for ***; what is kept is used up"
    assert str(caught.value).startswith(said)
    assert (caught.value.exit_code, caught.value.rejected) == (3, True)
    assert client.call("visit.add").value == 7
    assert badges(wire)[-1] == "badge-2"


def test_what_could_not_be_kept_is_not_asked_for(
    library: Callable[..., Client], wire: Wire, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept()
    shelf, link = home / "shelf", Path(profiles.path(profiles.SECRETS))
    shelf.mkdir()
    link.rename(shelf / link.name)  # the secrets stand elsewhere, where nobody may write
    link.symlink_to(shelf / link.name)
    client, real = library(profile="work", limits="memory"), os.open

    def opens(path: Any, flags: int, *more: Any) -> int:
        """As the system does it for whoever is not its master."""
        if flags & os.O_CREAT and os.path.dirname(path) == os.path.realpath(shelf):
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *more)

    wire.say(OLD, OLD, NEW, FINE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", opens)
        with pytest.raises(AuthError) as caught:
            client.call("visit.add")
    assert str(caught.value) == (
        "the badge of a club has run out, and is not renewed, since the new one could not be kept: "
        f"can't write {shelf / link.name}: Permission denied; set DECLAREST_CONFIG_DIR to a folder that can be "
        "written; nothing is used up: call again then"
    )
    assert (badges(wire), caught.value.method, caught.value.rejected) == (["badge-1"], "visit.add", True)
    assert client.call("visit.add").value == 7
    assert profiles.fields("library", "work")["badge"] == "badge-2"


def test_a_lock_that_can_not_be_had_is_no_reason_to_lose_it(
    library: Callable[..., Client], wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept()
    client = library(profile="work", limits="memory")
    read_only = CallError("can't write in here", hint="write elsewhere")

    def lock(_: profiles.Kept) -> None:
        raise read_only

    monkeypatch.setattr(profiles.Kept, "lock", lock)
    wire.say(OLD, OLD, FINE)
    with pytest.raises(AuthError, match="could not be kept: can't write in here; write elsewhere; nothing is used up"):
        client.call("visit.add")
    profiles.renew("library", "work", {"badge": "badge-2"})  # by another program, that may
    assert client.call("visit.add").value == 7
    assert badges(wire) == ["badge-1", "badge-1", "badge-2"]


def test_one_who_had_to_wait_for_the_lock_looks_again(
    library: Callable[..., Client], wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept()
    client, lock = library(profile="work", limits="memory"), profiles.Kept.lock

    def later(account: profiles.Kept) -> Any:
        profiles.renew("library", "work", {"badge": "badge-2"})  # by another program, that had it
        return lock(account)

    monkeypatch.setattr(profiles.Kept, "lock", later)
    wire.say(OLD, FINE)
    assert client.call("visit.add").value == 7
    assert badges(wire) == ["badge-1", "badge-2"]


@pytest.mark.parametrize("is_async", [True, False])
def test_an_async_caller_may_keep_it_either_way(
    is_async: bool, async_library: Callable[..., AsyncClient], async_wire: AsyncWire
) -> None:
    told: list[Json] = []

    async def later(news: Json) -> None:
        await asyncio.sleep(0)
        told.append(news)

    async def go() -> Any:
        async with async_library(**FIELDS, token_saver=later if is_async else told.append) as client:
            return (await client.call("visit.add")).value

    async_wire.say(OLD, NEW, FINE)
    assert asyncio.run(go()) == 7
    assert [news["badge"] for news in told] == ["badge-2"]


# What goes wrong


def test_a_renewal_that_is_refused_says_what_to_do(library: Callable[..., Client], wire: Wire) -> None:
    kept()
    client = library(profile="work", limits="memory")
    wire.say(OLD, reply({"fault": {"code": "NO_SPARE", "text": "spare-1 is used up"}}, 403))
    with pytest.raises(AuthError) as caught:
        client.call("visit.add")
    assert str(caught.value) == (
        "NO_SPARE: the badge of a club has run out and could not be renewed: *** is used up; "
        "The club must let you in again; sign in again: declarest login library work"
    )
    assert (caught.value.method, caught.value.rejected) == ("visit.add", True)
    assert profiles.fields("library", "work") == FIELDS


@pytest.mark.parametrize(
    ("status", "code", "kind"), [(503, "FIRE", ServiceError), (429, "HURRY", LimitExceeded), (500, "", ServiceError)]
)
def test_a_gate_that_is_not_well_is_no_reason_to_sign_in_again(
    status: int, code: str, kind: type[ServiceError], club: Client, wire: Wire
) -> None:
    wire.say(OLD, *[reply({"fault": {"code": code}}, status)] * 9)
    with pytest.raises(kind) as caught:
        club.call("visit.add")
    assert "could not be renewed" in caught.value.message
    assert "sign in" not in str(caught.value)
    assert caught.value.rejected


def test_a_renewal_whose_answer_is_lost_may_be_used_up(club: Client, wire: Wire) -> None:
    wire.say(OLD, TransportError("lost"))
    with pytest.raises(TransportError) as caught:
        club.call("visit.add")
    assert len(wire.sent) == 2
    assert (caught.value.outcome, caught.value.final, caught.value.method) == ("not sent", True, "visit.add")
    assert "call again; if that is refused, the renewal was used up: sign in again" in caught.value.hint


@pytest.mark.parametrize(
    "answer",
    [b'{"value": {"badge": {"now": "badge-2', b'{"value": {"badge": {"next": "badge-2"}}}', b'["badge-2"]', b"badge-2"],
)
def test_an_answer_that_can_not_be_used_is_not_shown(answer: bytes, club: Client, wire: Wire) -> None:
    wire.say(OLD, reply(answer))
    with pytest.raises(TransportError) as caught:
        club.call("visit.add")
    assert "badge-2" not in f"{caught.value} {caught.value.as_dict()}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_gate_that_is_down_uses_nothing_up(library: Callable[..., Client], wire: Wire) -> None:
    kept()
    client = library(profile="work", limits="memory")
    wire.say(OLD, *[TransportError("the host is down", outcome="not sent")] * 4)
    with pytest.raises(TransportError) as caught:
        client.call("visit.add")
    assert "could not be renewed: the host is down" in caught.value.message
    assert "the renewal is not used up" in caught.value.hint
    assert profiles.fields("library", "work") == FIELDS
    wire.say(OLD, NEW, FINE)
    assert client.call("visit.add").value == 7


def test_an_account_that_somebody_holds_is_not_waited_for_for_ever(club: Client, wire: Wire, clock: Clock) -> None:
    wire.say(OLD)
    assert club._planner.session.account.lock() is not None
    began = clock.now
    with pytest.raises(TransportError, match="another call has been renewing the badge of a club for too long"):
        club.call("visit.add")
    assert clock.now - began > 100


def test_a_clock_that_is_wrong_plays_no_role(library: Callable[..., Client], wire: Wire, clock: Clock) -> None:
    for now in (0.0, 4e9):
        clock.now = now
        wire.say(FINE, OLD, NEW, FINE)
        client = library(**FIELDS, ends=1_000_000)
        assert [client.call("visit.add").value for _ in range(2)] == [7, 7]


# Where it goes


def trap(folder: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in the folder of methods of the one that somebody works in."""
    for name, text in files.items():
        path = folder / "methods" / "library" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(folder)


METHOD = """
method: card.token
summary: Get a badge
effect: write
auth: [bearer, badge]
request: {path: stolen, in: query}
params: {want: {}, club: {}, key: {}, spare: {}}
"""


@pytest.mark.parametrize(
    "files",
    [
        {"evil.overlay.yaml": "methods: {card.token: {auth: [badge], request: {path: stolen, in: query}}}"},
        {"card/card.token.yaml": METHOD},
    ],
)
def test_no_file_of_another_folder_has_a_say_in_it(
    files: dict[str, str], tmp_path: Path, wire: Wire, clock: Clock, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECLAREST_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config").mkdir(mode=0o700)
    os.symlink(REPOSITORY / "tests" / "service", tmp_path / "config" / "methods")
    trap(tmp_path, files, monkeypatch)
    wire.say(OLD, NEW, FINE)
    client = still(Client("library", transport=wire, limits="memory", **FIELDS), clock)
    changed = client.methods.get("card.token").sending.path
    assert changed == "stolen"
    assert client.call("visit.add").value == 7
    assert wire.urls[1] == "https://gate.example/badges"
    assert wire.bodies[1] == BODY


def test_a_service_file_that_stands_in_for_the_installed_one_renews_nothing(
    tmp_path: Path, wire: Wire, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (REPOSITORY / "methods" / "bitrix24" / "_service.yaml").read_text(encoding="utf-8")
    folder = tmp_path / "methods" / "bitrix24"
    folder.mkdir(parents=True)
    (folder / "_service.yaml").write_text(text.replace("https://oauth.bitrix.info", "https://evil.example"))
    (folder / "profile.yaml").write_text("method: profile\nsummary: Me\neffect: read\n")
    monkeypatch.chdir(tmp_path)
    words: Json = {"portal": "a.example", "token": "t", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
    client = still(Client("bitrix24", transport=wire, limits="memory", **words), clock)
    wire.say(reply({"error": "expired_token"}, 401))
    with pytest.raises(AuthError):
        client.call("profile")
    assert wire.urls == ["https://a.example/rest/profile"]


def test_a_method_that_does_not_stand_beside_its_service_is_none(catalog: Catalog) -> None:
    with pytest.raises(SpecError, match=r"the method no\.such does not stand beside the file of library"):
        catalog.own("library", "no.such")


def test_what_a_profile_holds_is_not_renewed_where_somebody_else_says(
    library: Callable[..., Client], wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept()
    monkeypatch.setenv("DECLAREST_LIBRARY_GATE", "https://evil.example")
    client = library(profile="work", limits="memory")
    wire.say(OLD)
    with pytest.raises(CallError, match=r"would be renewed at https://evil\.example, which the environment names"):
        client.call("visit.add")
    assert len(wire.sent) == 1


def test_what_a_profile_holds_is_renewed_at_the_gate_of_the_profile(
    library: Callable[..., Client], wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(gate="https://mine.example")
    wire.say(OLD, NEW, FINE)
    library(profile="work", limits="memory").call("visit.add")
    assert wire.urls[1] == "https://mine.example/badges"
    monkeypatch.setenv("DECLAREST_LIBRARY_GATE", "https://gate.example")  # the default, said aloud
    kept()
    wire.say(OLD, NEW, FINE)
    assert library(profile="work", limits="memory").call("visit.add").value == 7


# Many at once: threads, tasks, processes


class Queue(Wire):
    """A service for many threads: a badge is refused until it was renewed; each renewal takes until all have asked."""

    def __init__(self, many: int) -> None:
        super().__init__()
        self.good, self.renewals, self.all = "badge-2", 0, threading.Barrier(many)
        self.lock = threading.Lock()

    def send(self, request: Any, largest: int) -> Any:
        """The answer to a badge."""
        badge = request.headers.get("X-Badge")
        if badge == "badge-1":
            self.all.wait(timeout=30)
            return OLD
        with self.lock:
            self.renewals += badge is None
        return NEW if badge is None else FINE


def test_many_threads_renew_once(catalog: Catalog) -> None:
    wire = Queue(20)
    client = Client("library", methods=catalog, transport=wire, limits="memory", **FIELDS)
    with client, ThreadPoolExecutor(20) as pool:
        assert list(pool.map(lambda _: client.call("ping").value, range(20))) == [{"value": 7}] * 20
    assert wire.renewals == 1


class AsyncQueue:
    """The same for tasks."""

    def __init__(self, many: int) -> None:
        self.all, self.renewals = asyncio.Barrier(many), 0
        self.slow = asyncio.Event()
        self.asked = asyncio.Event()

    async def send(self, request: Any, largest: int) -> Any:
        """The answer to a badge; a renewal takes until `slow` is set."""
        badge = request.headers.get("X-Badge")
        if badge == "badge-1":
            await self.all.wait()
            return OLD
        if badge is None:
            self.renewals += 1
            self.asked.set()
            await self.slow.wait()
        return NEW if badge is None else FINE

    async def close(self) -> None:
        """Nothing is open."""


def test_many_tasks_renew_once(catalog: Catalog) -> None:
    async def go() -> tuple[int, int]:
        wire = AsyncQueue(20)
        wire.slow.set()
        async with AsyncClient("library", methods=catalog, transport=wire, limits="memory", **FIELDS) as client:
            found = await asyncio.gather(*(client.call("ping") for _ in range(20)))
        return len(found), wire.renewals

    assert asyncio.run(go()) == (20, 1)


@pytest.mark.parametrize("times", [1, 3])
def test_a_task_that_is_cancelled_in_the_middle_of_it_does_not_lose_the_account(times: int, catalog: Catalog) -> None:
    told: list[Json] = []

    async def go() -> Any:
        wire = AsyncQueue(1)
        words: Json = {"methods": catalog, "transport": wire, "limits": "memory", "token_saver": told.append}
        async with AsyncClient("library", **words, **FIELDS) as client:
            task = asyncio.ensure_future(client.call("ping"))
            await wire.asked.wait()
            for _ in range(times):
                task.cancel()
                await asyncio.sleep(0)
            wire.slow.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            return (await client.call("ping")).value, wire.renewals

    assert asyncio.run(go()) == ({"value": 7}, 1)
    assert told[0]["badge"] == "badge-2"


def test_an_interruption_in_the_middle_of_it_does_not_lose_the_account(
    library: Callable[..., Client], wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C reaches the thread that waits, as it would the main one."""
    kept()
    client = library(profile="work", limits="memory")
    wire.say(OLD, NEW)
    real = threading.Thread.join
    struck: list[threading.Thread] = []

    def join(self: threading.Thread, timeout: float | None = None) -> None:
        if not struck:
            struck.append(self)
            raise KeyboardInterrupt
        real(self, timeout)

    monkeypatch.setattr(threading.Thread, "join", join)
    with pytest.raises(KeyboardInterrupt):
        client.call("visit.add")
    assert profiles.fields("library", "work")["badge"] == "badge-2"
    wire.say(FINE)
    assert client.call("visit.add").value == 7
    assert not struck[0].daemon


# Processes, over real sockets


@pytest.fixture
def served(catalog: Catalog) -> Iterator[Served]:
    with start(catalog, "bitrix24", state=MEMORY) as found:
        yield found


def saved(served: Served) -> None:
    """A profile of the sandbox, whose token has run out."""
    names = ("scheme", "portal", "token", "oauth", "client_id", "client_secret", "refresh_token")
    values = {name: served.credentials[name] for name in names}
    profiles.save("bitrix24", "work", values, frozenset(["token", "client_secret", "refresh_token"]), ring=False)
    served.expire()


CALLS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from runner import Client
with Client("bitrix24", profile="work", limits="memory") as client:
    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(25) as pool:
        print(len({one.value["ID"] for one in pool.map(lambda _: client.call("profile"), range(25))}), flush=True)
"""
KILLED = """
import os, signal
from runner import Client, profiles
whole = profiles.{where}
def dies(*words):
    found = whole(*words)
    if {when}:
        os.kill(os.getpid(), signal.SIGKILL)
    return found
profiles.{where} = dies
Client("bitrix24", profile="work", limits="memory").call("profile")
"""


def child(code: str) -> subprocess.Popen[str]:
    words = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, **words)  # type: ignore[call-overload,no-any-return]


def test_a_hundred_calls_in_four_processes_renew_once(served: Served) -> None:
    lines: list[str] = []
    saved(served)
    served.log = lines.append
    children = [child(CALLS) for _ in range(4)]
    for one in children:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    found = []
    for one in children:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    for one in children:
        out, err = one.communicate(timeout=120)
        found.append((out, err, one.returncode))
    assert found == [("1\n", "", 0)] * 4
    renewals = [line for line in lines if "/oauth/token/" in line]
    assert [line.rpartition(" ")[2] for line in renewals] == ["200"]
    assert sum("profile" in line and line.endswith("200") for line in lines) == 100


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("where", "when"),
    [
        ("Kept.save", "True"),
        ("os.replace", "words[1].endswith('secrets.toml') and 'sandbox-token' not in open(words[1]).read()"),
    ],
    ids=["kept and not yet used", "in the middle of keeping"],
)
def test_a_process_that_is_killed_in_between_does_not_lose_the_account(where: str, when: str, served: Served) -> None:
    saved(served)
    dead = child(KILLED.format(where=where, when=when))
    _, err = dead.communicate(timeout=60)
    assert (dead.returncode, err) == (-signal.SIGKILL, "")
    lines: list[str] = []
    served.log = lines.append
    with Client("bitrix24", profile="work", limits="memory") as client:
        assert client.call("profile").value
        served.expire()
        assert client.call("profile").value
    assert sum("/oauth/token/" in line for line in lines) == 1


def test_an_answer_that_is_lost_on_the_way(served: Served) -> None:
    saved(served)
    served.inject("", "reset-after")
    with Client("bitrix24", profile="work", limits="memory") as client:
        with pytest.raises(TransportError, match="no usable answer came to its renewal"):
            client.call("profile")
        with pytest.raises(AuthError, match=r"could not be renewed.*declarest login bitrix24 work") as caught:
            client.call("profile")
    assert caught.value.code == "invalid_grant"


def test_a_renewal_in_memory_over_real_sockets(served: Served, catalog: Catalog) -> None:
    words = {name: value for name, value in served.credentials.items() if name not in {"code", "user_id"}}
    served.expire()
    with Client("bitrix24", limits="memory", **words) as client:
        assert client.call("profile").value
    with (
        pytest.raises(AuthError, match=r"declarest login bitrix24$"),
        Client("bitrix24", limits="memory", **words) as client,
    ):
        client.call("profile")


# Pieces


def test_an_unkept_account_is_one_callers_at_a_time() -> None:
    account = renewal.Unkept()
    release = account.lock()
    assert release is not None
    assert account.lock() is None
    release()
    assert account.lock() is not None
    assert account.fresh() == {}
    assert account.save({}) is None


def test_an_error_of_another_kind_is_left_as_it_is(catalog: Catalog) -> None:
    method = catalog.method("library", "ping")
    scheme = next(one for one in method.service.schemes if one.renew)
    error = RunnerError("a bug")
    assert renewal.over(error, scheme, renewal.Unkept(), method) is error


def test_the_value_of_a_refusal_without_words_is_its_status(catalog: Catalog) -> None:
    method = catalog.method("library", "ping")
    scheme = next(one for one in method.service.schemes if one.renew)
    found = renewal.over(ServiceError("", status=400), scheme, renewal.Unkept(), method)
    assert "could not be renewed: 400" in json.dumps(found.as_dict())


def test_a_method_that_was_edited_in_place_is_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    shutil.copytree(REPOSITORY / "tests" / "service" / "library", folder)
    catalog = Catalog(str(tmp_path))
    file = folder / "card" / "card.token.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("path: badges", "path: tokens/new"), encoding="utf-8")
    assert catalog.own("library", "card.token").sending.path == "tokens/new"
