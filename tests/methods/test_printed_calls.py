"""Every call that the vendor's documentation prints passes the check and is sent as it is printed.

`tests/cases/<service>/printed/*.ndjson` hold the calls as facts: a line is [method, params, times], where `times`
says in how many tabs of the documentation the same call is printed. The calls that are slips of the documentation
stand in `tests/cases/<service>/slips.yaml`, each with the reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner import Client, InvalidArguments, Problem, document, validation
from runner.request import written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.spec import Method

CASES = Path(__file__).parents[1] / "cases"
FOLDERS = sorted(CASES.glob("*/printed"))
FILES = sorted(path for folder in FOLDERS for path in folder.glob("*.ndjson"))
CREDENTIALS: dict[str, Any] = {
    "webhook": {"url": "https://example.bitrix24.com/rest/1/secret/"},
    "token": {"portal": "example.bitrix24.com", "token": "secret-token"},
}
MOST_SLIPS = 0.01


@dataclass(frozen=True)
class Printed:
    """One call as it is printed, and how often."""

    service: str
    method: str
    body: Any
    times: int

    def __str__(self) -> str:
        return f"{self.method} {json.dumps(self.body, ensure_ascii=False)}"[:300]


def read(path: Path) -> Iterator[Printed]:
    for line in path.read_text(encoding="utf-8").splitlines():
        method, body, times = json.loads(line)
        yield Printed(path.parts[-3], method, body, times)


def shown(path: Path) -> str:
    return path.stem


@pytest.fixture(scope="module")
def portals() -> Iterator[Mapping[str, Client]]:
    service = FOLDERS[0].parent.name
    clients = {way: Client(service, **fields) for way, fields in CREDENTIALS.items()}
    yield clients
    for client in clients.values():
        client.close()


@pytest.fixture(scope="module")
def slips() -> set[tuple[str, str]]:
    """The slips as pairs: the method, and the place of the misfit."""
    return {(one["method"], place) for one in listed() for place in one["misfits"]}


def listed() -> list[dict[str, Any]]:
    path = FOLDERS[0].parent / "slips.yaml"
    return list(document.load(path.read_text(encoding="utf-8"), str(path))["slips"])


def named(method: Method, body: Any) -> dict[str, Any]:
    """The params of a printed body: a list stands for the params in their order, or for the one that is the body."""
    return (
        dict(zip(method.params, body if method.document.get("positional") else [body], strict=False))
        if isinstance(body, list)
        else body
    )


def refusals(client: Client, call: Printed) -> list[Problem]:
    params = named(client.methods.get(call.method), call.body)
    return [problem for problem in client.check(call.method, params) if problem.level == "error"]


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_a_printed_call_passes(path: Path, portals: Mapping[str, Client], slips: set[tuple[str, str]]) -> None:
    wrong = [
        f"{call}: {problem}"
        for call in read(path)
        for problem in refusals(portals["webhook"], call)
        if (call.method, problem.path) not in slips
    ]
    assert wrong == []


def test_each_slip_occurs_and_there_are_few(portals: Mapping[str, Client], slips: set[tuple[str, str]]) -> None:
    found = set()
    total = refused = 0
    for path in FILES:
        for call in read(path):
            problems = refusals(portals["webhook"], call)
            found |= {(call.method, problem.path) for problem in problems}
            total += call.times
            refused += call.times if problems else 0
    assert slips == found
    assert refused < MOST_SLIPS * total


def test_each_slip_has_a_reason() -> None:
    assert [one["method"] for one in listed() if not one["why"].strip()] == []


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_what_is_sent_is_what_is_printed(path: Path, portals: Mapping[str, Client]) -> None:
    wrong = []
    for call in read(path):
        way = way_of(portals["webhook"], call)
        client = portals[way]
        method = client.methods.get(call.method)
        if not refusals(client, call):
            wrong += [f"{call}: {fault}" for fault in differences(client, method, call, way)]
    assert wrong == []


def way_of(webhook: Client, call: Printed) -> str:
    """How a printed call is authorised: by a webhook, unless the method or what is left out of the call forbids it."""
    method = webhook.methods.get(call.method)
    ways = method.document.get("auth", ["webhook"])
    asked = validation.demanded(method, method.service.schemes[0], named(method, call.body))
    return "token" if asked else str(ways[0])


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_what_a_webhook_needs_besides_is_told_and_a_token_needs_it_not(
    path: Path, portals: Mapping[str, Client]
) -> None:
    for call in read(path):
        if (
            way_of(portals["webhook"], call) == "token"
            and "auth" not in portals["token"].methods.get(call.method).document
        ):
            params = named(portals["token"].methods.get(call.method), call.body)
            told = [str(one) for one in portals["webhook"].check(call.method, params) if one.level == "warning"]
            assert any("with the inbound webhook" in one for one in told), call
            with pytest.raises(InvalidArguments, match="with the inbound webhook"):
                portals["webhook"].prepare(call.method, params)
            assert not any("webhook" in str(one) for one in portals["token"].check(call.method, params)), call


def differences(client: Client, method: Method, call: Printed, way: str) -> Iterator[str]:
    """What a request has that the print has not: another verb, address or body."""
    params = named(method, call.body)
    request = client.prepare(call.method, params)
    if request.verb != method.sending.verb:
        yield f"is sent by {request.verb}"
    name, _, variant = call.method.partition("@")
    base = f"https://example.bitrix24.com/rest/{'api/' if variant or method.service.variant else ''}"
    address = f"{base}{'1/secret/' if way == 'webhook' else ''}{name}"
    if request.url.partition("?")[0] != address:
        yield f"is sent to {request.url}"
    sent = json.loads(request.body or b"{}")
    if isinstance(sent, dict):
        sent.pop("auth", None)
    wanted: Any = {name: written(method, name, value)[2] for name, value in params.items()}
    if isinstance(sent, list) and not method.document.get("positional"):
        (wanted,) = wanted.values()
    elif isinstance(sent, list):
        slot = method.sending.slot
        order = [name for name, param in method.params.items() if param.place == "body"]
        by_name = {method.canonical(name): value for name, value in wanted.items()}
        wanted = [by_name.get(name, slot) for name in order][: len(sent)]
    if json.dumps(sent, sort_keys=True) != json.dumps(wanted, sort_keys=True):
        yield f"is sent as {json.dumps(sent, ensure_ascii=False)[:300]}"


def test_few_printed_calls_are_rewritten(portals: Mapping[str, Client]) -> None:
    """An encoder may turn true into Y; what is in the form of the service already goes as it is."""
    client, changed, total = portals["webhook"], [], 0
    for path in FILES:
        for call in read(path):
            method = client.methods.get(call.method)
            for name, value in named(method, call.body).items():
                total += 1
                after = written(method, name, value)[2]
                if json.dumps(after, sort_keys=True) != json.dumps(value, sort_keys=True):
                    changed.append(f"{call.method} {name}")
    assert len(changed) < MOST_SLIPS * total, changed
