"""Every case of tests/cases through the real client: what goes in, what leaves, what comes back, what it means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner import RunnerError, TransportError, compiler
from runner.response import Reply, Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner import Client
    from runner.request import Request
    from tests.conftest import Clock, Wire

Json = dict[str, Any]
ROOT = Path(__file__).parent / "cases"
FILES = sorted(path for path in ROOT.rglob("*.yaml") if path.name not in {"slips.yaml", "quirks.yaml"})


def cases(path: Path) -> list[Any]:
    file = str(path.relative_to(ROOT))
    data = compiler.read(path, "case", file)
    default = data.get("credentials", {})
    return [
        pytest.param(file.split("/", maxsplit=1)[0], {"credentials": default, **case}, id=f"{file}: {case['title']}")
        for case in data["cases"]
    ]


def listed(part: Any) -> list[Any]:
    return part if isinstance(part, list) else [part]


def came(reply: Json) -> Reply | Exception:
    if "lost" in reply:
        return TransportError("the connection failed", outcome=reply["lost"])
    body = reply["text"].encode() if "text" in reply else json.dumps(reply["body"]).encode() if "body" in reply else b""
    return Reply(reply.get("status", 200), reply.get("headers", {}), body)


def meant(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except RunnerError as error:
        return error


def pair(one: list[Any]) -> tuple[str, Json]:
    return one[0], one[1] if len(one) > 1 else {}


def asked(client: Client, case: Json) -> Callable[[], Any]:
    if "batch" in case:
        calls: Any = case["batch"]
        calls = {key: pair(one) for key, one in calls.items()} if isinstance(calls, dict) else [*map(pair, calls)]
        return lambda: client.batch(calls, halt=case.get("halt", False))
    if case.get("all"):
        return lambda: list(client.iterate(case["method"], case.get("params", {})))
    return lambda: client.call(case["method"], case.get("params", {}))


def compare_request(request: Request, wanted: Json) -> None:
    assert request.verb == wanted.get("verb", request.verb)
    assert request.url == wanted.get("url", request.url)
    assert request.shown.url == wanted.get("shown", request.shown.url)
    for name, value in wanted.get("headers", {}).items():
        assert request.headers.get(name) == value, name
    if "text" in wanted:
        assert (request.body or b"").decode() == wanted["text"]
    if "body" in wanted:
        assert (None if request.body is None else json.loads(request.body)) == wanted["body"]


def compare_meaning(found: Any, wanted: Json) -> None:
    if "error" in wanted:
        compare_error(found, wanted["error"])
    elif "rows" in wanted:
        assert found == wanted["rows"]
    elif isinstance(wanted.get("outcomes"), dict):
        assert set(found) == set(wanted["outcomes"])
        for key, one in wanted["outcomes"].items():
            compare_meaning(found[key], one)
    elif "outcomes" in wanted:
        for one, part in zip(found, wanted["outcomes"], strict=True):
            compare_meaning(one, part)
    else:
        assert isinstance(found, Result), found
        assert found.value == wanted.get("value", found.value)
        assert dict(found.meta) == wanted.get("meta", dict(found.meta))


def compare_error(found: Any, wanted: Json) -> None:
    assert type(found).__name__ == wanted["class"], repr(found)
    known = {**found.as_dict(), "exit": found.exit_code, "rejected": getattr(found, "rejected", None)}
    for name, value in wanted.items():
        if name in {"message", "hint"}:
            assert value in str(known[name]), name
        elif name != "class":
            assert known.get(name) == value, name


@pytest.mark.parametrize(("service", "case"), [one for path in FILES for one in cases(path)])
def test_case(  # batches go one after another, so that replies from a list find theirs
    service: str,
    case: Json,
    library: Callable[..., Client],
    wire: Wire,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runner.pack._AHEAD", 1)
    words = {name: case[name] for name in ("check", "insecure") if name in case}
    wire.replies = [came(one) for one in listed(case.get("comes", []))]
    client = library(service, **case["credentials"], **words)
    found = meant(asked(client, case))
    compare_meaning(found, case["means"])
    wanted = listed(case.get("leaves", []))
    assert len(wire.sent) == len(wanted), [str(request) for request in wire.sent]
    for request, one in zip(wire.sent, wanted, strict=True):
        compare_request(request, one)
    assert wire.replies == []
    assert clock.slept == case.get("waits", [])


def test_there_are_cases_of_every_service() -> None:
    methods = [Path(__file__).parents[1] / "methods", Path(__file__).parent / "service"]
    services = {path.parent.name for root in methods for path in root.glob("*/_service.yaml")}
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == services


def test_cases_have_titles_of_their_own() -> None:
    titles = [case.id for path in FILES for case in cases(path)]
    assert len(titles) == len(set(titles))
