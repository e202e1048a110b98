"""What a write and a read come to when their answer goes wrong, over a real socket: each row once, or told as unknown.

A refusal that says that a limit is used up comes before the call is carried out, so it is always asked again. A
page in between may put these very words over a call that was carried out (`limit-after`): nothing in the answer
tells the two apart. Any other failure leaves a write where it is, and the error says that its outcome is unknown.
"""

from __future__ import annotations

import json
import logging
import threading
import traceback
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from runner import AuthError, Client, LimitExceeded, RunnerError, ServiceError, TransportError
from runner.catalog import Catalog
from runner.sandbox import Served
from tests.faults.conftest import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
MARK = "Row of a test"
ADD = {"fields": {"TITLE": MARK}}
KEPT = {"filter": {"TITLE": MARK}}
ROWS, PACK = 100, 50


@pytest.fixture
def lines(served: Served) -> list[str]:
    """A line for each request that came."""
    found: list[str] = []
    served.log = found.append
    return found


def created(served: Served, client: Client, lines: list[str]) -> int:
    """How many rows the server has, asked for when all is well."""
    before = list(lines)
    count: int = client.call("crm.deal.list", KEPT).meta["total"]
    lines[:] = before
    return count


def told(error: BaseException, caplog: pytest.LogCaptureFixture) -> str:
    """All that a person may come to see of an error."""
    return "".join([str(error), repr(error), *traceback.format_exception(error), caplog.text])


def attempt(client: Client, name: str, params: Json) -> Any:
    try:
        return client.call(name, params)
    except RunnerError as error:
        return error


NO, LOST, LIMIT = ServiceError, TransportError, LimitExceeded
ONE = [  # fault, what a write meets (None: it is made again), its outcome, requests and rows; requests of a read
    ("limit", None, "", 2, 1, 2),
    ("limit-after", None, "", 2, 2, 2),  # not to be told from the one before it
    ("cost", None, "", 2, 1, 2),
    ("reset-before", LOST, "unknown", 1, 0, 2),
    ("reset-after", LOST, "unknown", 1, 1, 2),
    ("cut", LOST, "unknown", 1, 1, 2),
    ("empty-before", LOST, "unknown", 1, 0, 2),
    ("empty-after", LOST, "unknown", 1, 1, 2),
    ("html-before", LOST, "unknown", 1, 0, 2),
    ("html-after", LOST, "unknown", 1, 1, 2),
    ("500-before", NO, "unknown", 1, 0, 2),
    ("500-after", NO, "unknown", 1, 1, 2),
    ("502-before", LOST, "unknown", 1, 0, 2),
    ("502-after", LOST, "unknown", 1, 1, 2),
    ("503-before", LOST, "unknown", 1, 0, 2),
    ("503-after", LOST, "unknown", 1, 1, 2),
    ("504-after", LOST, "unknown", 1, 1, 2),
    ("redirect", LOST, "not sent", 1, 0, 1),
]


@pytest.mark.parametrize(("fault", "kind", "outcome", "requests", "rows", "reads"), ONE)
def test_a_write_that_met_a_fault(
    fault: str,
    kind: type[RunnerError] | None,
    outcome: str,
    requests: int,
    rows: int,
    reads: int,
    client: Client,
    served: Served,
    lines: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    client.call("profile")
    lines.clear()
    served.inject(fault)
    found = attempt(client, "crm.deal.add", ADD)
    assert len(lines) == requests
    assert created(served, client, lines) == rows
    if kind is None:
        assert found.value
        return
    assert isinstance(found, kind)
    assert getattr(found, "outcome", "") == outcome
    assert outcome != "unknown" or "may have acted" in found.hint
    assert SECRET not in told(found, caplog)


@pytest.mark.parametrize(("fault", "kind", "outcome", "requests", "rows", "reads"), ONE)
def test_a_read_that_met_a_fault(
    fault: str,
    kind: type[RunnerError] | None,
    outcome: str,
    requests: int,
    rows: int,
    reads: int,
    client: Client,
    served: Served,
    lines: list[str],
) -> None:
    client.call("profile")
    lines.clear()
    served.inject(fault)
    found = attempt(client, "crm.deal.list", {})
    assert len(lines) == reads
    assert isinstance(found, TransportError) == (fault == "redirect")
    if fault == "redirect":
        assert "http://moved.invalid" in found.hint


BATCH = [  # fault of the first batch, what its calls meet, their outcome, requests, rows on the server
    ("limit", None, "", 3, ROWS),
    ("limit-after", None, "", 3, ROWS + PACK),  # not to be told from the one before it
    ("cost", None, "", 3, ROWS),
    ("reset-before", LOST, "unknown", 2, PACK),
    ("reset-after", LOST, "unknown", 2, ROWS),
    ("cut", LOST, "unknown", 2, ROWS),
    ("empty-after", LOST, "unknown", 2, ROWS),
    ("html-after", LOST, "unknown", 2, ROWS),
    ("500-after", NO, "unknown", 2, ROWS),
    ("502-after", LOST, "unknown", 2, ROWS),
    ("503-after", LOST, "unknown", 2, ROWS),
    ("504-after", LOST, "unknown", 2, ROWS),
    ("redirect", LOST, "not sent", 2, PACK),
]


@pytest.mark.parametrize(("fault", "kind", "outcome", "requests", "rows"), BATCH)
def test_a_batch_of_writes_that_met_a_fault(
    fault: str,
    kind: type[RunnerError] | None,
    outcome: str,
    requests: int,
    rows: int,
    client: Client,
    served: Served,
    lines: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    served.inject(fault)
    found = client.batch([("crm.deal.add", ADD)] * ROWS)
    assert len(lines) == requests
    assert created(served, client, lines) == rows
    lost = [one for one in found if isinstance(one, RunnerError)]
    assert lost == ([] if kind is None else found[:PACK])
    for one in lost:
        assert isinstance(one, kind or RunnerError)
        assert getattr(one, "outcome", "") == outcome
        assert SECRET not in told(one, caplog)
    ids = [one.value for one in found if not isinstance(one, RunnerError)]
    assert len(set(ids)) == ROWS - len(lost)


@pytest.mark.parametrize("fault", ["inner-limit=40", "inner-cost=40"])
def test_a_call_that_a_limit_refused_in_a_batch_is_made_again_alone(
    fault: str, client: Client, served: Served, lines: list[str]
) -> None:
    waits: list[float] = []
    client._sleep = lambda seconds: waits.append(float(seconds))
    served.inject(fault)
    found = client.batch([("crm.deal.add", ADD)] * ROWS)
    assert len({one.value for one in found}) == ROWS
    assert [line.split()[1].rpartition("/")[2] for line in lines] == ["batch", "crm.deal.add", "batch"]
    assert created(served, client, lines) == ROWS
    assert sum(waits) > 0


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (
            401,
            {"error": "expired_token", "error_description": "The access token has expired"},
            AuthError,
            "expired_token",
        ),
        (400, {"error": "", "error_description": "Not found"}, ServiceError, ""),
        (200, {"error": "WRONG_CLIENT", "error_description": "Wrong client"}, AuthError, "WRONG_CLIENT"),
        (400, {"error": "ERROR_CORE"}, ServiceError, "ERROR_CORE"),
        (400, {"error": {"code": "BITRIX_REST_V3_EXCEPTION_X", "message": "No"}}, ServiceError, ""),
        (503, {"error": "OVERLOAD_LIMIT", "error_description": "Blocked"}, ServiceError, "OVERLOAD_LIMIT"),
    ],
    ids=["expired", "empty code", "status 200", "no description", "third edition", "blocked"],
)
@pytest.mark.parametrize("calls", [1, 2, ROWS])
def test_what_the_service_says_is_told_and_not_asked_again(
    calls: int,
    status: int,
    body: Json,
    kind: type[RunnerError],
    code: str,
    catalog: Catalog,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        answering(status, body) as (url, asked),
        Client("bitrix24", url=url, methods=catalog, limits="memory") as client,
    ):
        found = client.batch([("crm.deal.add", ADD)] * calls) if calls > 1 else [attempt(client, "crm.deal.add", ADD)]
    assert len(asked) == -(-calls // PACK)
    for one in found:
        assert isinstance(one, kind)
        assert one.status == status  # type: ignore[attr-defined]
        assert code in one.code
        assert SECRET not in told(one, caplog)


@contextmanager
def answering(status: int, body: Json) -> Iterator[tuple[str, list[str]]]:
    """A server that gives every request the same answer: its webhook, and the paths that were asked."""
    asked: list[str] = []

    class Same(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            said = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Same) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/rest/1/{SECRET}/", asked
        finally:
            server.shutdown()
            thread.join()
