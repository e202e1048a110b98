from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.skeleton import skeleton
from runner.spec import Method, Service

if TYPE_CHECKING:
    from runner.catalog import Catalog

METHOD = Method.read(
    {
        "method": "note.add",
        "summary": "Add",
        "effect": "write",
        "params": {
            "title": {"type": "string", "description": "What it is called"},
            "kind": {"enum": ["a", "b"], "default": "a"},
            "marks": {"type": "array", "items": {"type": "integer"}, "description": "Marks"},
            "phones": {"type": "array", "items": {"type": "object", "properties": {"no": {"type": "string"}}}},
            "place": {
                "type": "object",
                "properties": {
                    "id": {"type": "integer", "readOnly": True},
                    "room": {"type": "string", "description": "Which room"},
                },
            },
            "old": {"type": "string", "deprecated": True},
            "made": {"type": "string", "generate": "now"},
        },
    },
    Service.read({"service": "notes", "title": "Notes", "auth": {}}),
    lambda _: None,
    "",
)


def test_a_skeleton_is_of_all_params_or_of_one() -> None:
    assert skeleton(METHOD) == {
        "title": "", "kind": "a", "marks": [], "phones": [{"no": ""}], "place": {"room": ""},
    }  # fmt: skip
    assert skeleton(METHOD, "PLACE") == {"room": ""}


def test_a_described_skeleton_has_hints() -> None:
    assert skeleton(METHOD, described=True) == {
        "title": "<What it is called>",
        "kind": "<kind: a, b>",
        "marks": "<Marks>",
        "phones": [{"no": "<no>"}],
        "place": {"room": "<Which room>"},
    }
    assert skeleton(METHOD, "place", described=True) == {"room": "<Which room>"}


@pytest.mark.parametrize("service", ["library", "bitrix24"])
def test_every_skeleton_can_be_made(service: str, catalog: Catalog) -> None:
    for name in catalog.names(service):
        method = catalog.method(service, name)
        assert skeleton(method).keys() == skeleton(method, described=True).keys() <= method.params.keys(), name
