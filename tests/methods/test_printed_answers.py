"""Every answer that the vendor's documentation prints is read rightly: value, next mark, total, or the refusal.

`tests/cases/<service>/answered/*.ndjson` hold the answers as facts, long lists and texts cut: a line is [method,
status, body], with the kind of error at its end where the answer is a refusal. What is expected is read from the
body by the few plain rules of this file, which know nothing of the YAML.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner import Client, ServiceError, response, validation
from runner.encoding import json_text
from runner.response import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.spec import Method

Json = dict[str, Any]
FILES = sorted((Path(__file__).parents[1] / "cases").glob("*/answered/*.ndjson"))
STATUSES = {
    "401": {"auth"},
    "403": {"forbidden", "auth", "blocked"},
    "404": {"not_found"},
    "5..": {"server", "blocked"},
}
CODES = {
    r"ACCESS_?DENIED|NO_?RIGHTS|FORBIDDEN|PERMISSION": {"forbidden"},
    r"NOT_?FOUND$": {"not_found"},
    r"EXPIRED_TOKEN|INVALID_CREDENTIALS|NO_AUTH": {"auth", "forbidden"},
    r"REQUIRED$|MISSING|INVALID_(ARG|PARAM)": {"usage"},
}
MOST_UNUSUAL = 0.02


def shown(path: Path) -> str:
    return path.stem


def answers(path: Path) -> Iterator[tuple[str, int, Json, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        method, status, body, *kind = json.loads(line)
        yield method, status, body, kind[0] if kind else ""


@pytest.fixture(scope="module")
def portal() -> Iterator[Client]:
    with Client(FILES[0].parts[-3], url="https://example.bitrix24.com/rest/1/secret/") as client:
        yield client


def words(value: Any) -> str:
    """A code or a message as text; none is no text."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def refusal(body: Json) -> tuple[str, str] | None:
    """Code and message of an answer that is a refusal, in either of the two forms, or inside the result."""
    inner = body.get("result")
    holder = inner if "error" not in body and isinstance(inner, dict) and "error_description" in inner else body
    error = holder.get("error")
    if error is None or error is False:
        return None
    if isinstance(error, dict):
        return words(error.get("code")), words(error.get("message"))
    return words(error), words(holder.get("error_description"))


def expected(body: Json) -> Json:
    said = refusal(body)
    if said is not None:
        return {"code": said[0], "message": said[1]}
    meta = {name: body[name] for name in ("total", "next") if body.get(name) is not None}
    return {"value": body["result"], **meta}


def read(method: Method, status: int, body: Json) -> tuple[Json, str]:
    """What the engine makes of an answer, and the kind where it is a refusal."""
    try:
        result = response.read(method, Reply(status, {}, json_text(body)))
    except ServiceError as error:
        return {"code": error.code, "message": error.message}, error.kind
    return {"value": result.value, **result.meta}, ""


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_a_printed_answer_is_read(path: Path, portal: Client) -> None:
    wrong = []
    for name, status, body, kind in answers(path):
        found = read(portal.methods.get(name), status, body)
        if found != (expected(body), kind):
            wrong.append(f"{name} {status} {json.dumps(body)[:200]}: {str(found)[:200]}")
    assert wrong == []


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_a_printed_value_is_what_the_method_returns(path: Path, portal: Client) -> None:
    wrong = []
    for name, status, body, kind in answers(path):
        method = portal.methods.get(name)
        if not kind and method.returns is not None:
            value = response.read(method, Reply(status, {}, json_text(body))).value
            schema = {"$defs": method.schema.get("$defs", {}), "allOf": [method.returns]}
            wrong += [f"{name}: {fault.message[:200]}" for fault in validation.misfits(value, schema)]
    assert wrong == []


def test_kinds_are_what_status_and_code_say() -> None:
    """A few may differ, where the page gives another cause than the status or the code suggests."""
    unusual, total = [], 0
    for path in FILES:
        for name, status, body, kind in answers(path):
            if kind:
                total += 1
                code = expected(body)["code"]
                likely = [kinds for form, kinds in CODES.items() if re.search(form, code.upper())] or [
                    kinds for form, kinds in STATUSES.items() if re.fullmatch(form, str(status))
                ]
                if likely and kind not in likely[0]:
                    unusual.append(f"{name} {status} {code}: {kind}")
    assert len(unusual) < MOST_UNUSUAL * total, unusual
