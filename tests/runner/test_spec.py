from __future__ import annotations

from typing import Any

import pytest

from runner import document, spec
from runner import node as node_module
from runner.compiler import checked
from runner.errors import SpecError
from runner.limit import Limit, Retry, seconds
from runner.refusal import Refusal
from runner.spec import Method, Reading, Scheme, Sending, Service

SERVICE = """
spec: 1
service: toy
title: Toy
docs: https://toy.example/docs
profile:
  properties:
    host: {type: string, format: hostname}
    number: {type: integer}
    token: {type: string, writeOnly: true}
    free: true
  accept: {url: ["https://{host}/", "{host}"]}
  help: Look behind the box
auth:
  token: {title: a token, needs: [host, token], base: "https://{host}/", send: {header: {X-Token: "{token}"}}}
  open: {base: "https://{host}/", first: {method: login, keep: {token: value}}}
request: {in: form, headers: {Accept: application/json}}
response: {result: result, meta: {total: total}}
errors: {SLOW: {kind: rate_limit, rejected: true}, "404": {kind: not_found}, 5xx: {kind: server}}
limits: [{rate: 90/m, burst: 5, per: [host]}, {cost: used, until: reset, cap: 10m, per: [method]}]
pages: {offset: {send: {start: $next}, next: next, items: result}}
batch: {method: batch, size: 50, commands: cmd, command: "{method}?{query}", answers: {results: result}}
encode: {yn: {"true": "Y", "false": "N"}, file: ["{name}", "{base64}"]}
types:
  id: {type: integer}
  ids: {type: array, items: {$ref: "#id"}}
  flag: {encode: yn}
  tree: {properties: {child: {$ref: "#tree"}}}
  secret: {type: string, writeOnly: true}
  hidden: {$ref: "#secret"}
  loop: {$ref: "#pool"}
  pool: {$ref: "#loop"}
  anything: true
variants:
  v3: {title: Toy 3, request: {in: body}, errors: {SLOW: null}, batch: null}
"""


def service(variant: str = "", text: str = SERVICE) -> Service:
    return Service.read(checked(document.load(text), "service", text, "toy"), variant, "toy.yaml")


def made(text: str = "", variant: str = "", name: str = "box.add") -> Method:
    """A method of the toy service, from what its file says besides its name."""
    whole = f"method: {name}\nsummary: Add a box\neffect: write\n{text}"
    data = checked(document.load(whole), "method", whole, "method")
    return Method.read(data, service(variant), document.load(SERVICE)["types"].get, "box.yaml")


@pytest.mark.parametrize(("text", "number"), [("500ms", 0.5), ("30s", 30.0), ("1.5m", 90.0), ("1h", 3600.0)])
def test_times_are_read_in_seconds(text: str, number: float) -> None:
    assert seconds(text) == number


@pytest.mark.parametrize(
    ("base", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a"], {"a": 1}, {"a": 1}),
        ({"a": 1}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_is_laid_over_as_the_standard_says(base: Any, patch: Any, result: Any) -> None:
    assert node_module.merged(base, patch) == result


@pytest.mark.parametrize(
    ("name", "flag"),
    [("ENTITY_TYPE", "--entity-type"), ("taskId", "--task-id"), ("filter[>ID]", "--filter-id"), ("a2B", "--a2-b"),
     ("Имя", "--имя"), ("TITLE", "--title")],
)  # fmt: skip
def test_a_flag_is_made_of_the_words_of_a_name(name: str, flag: str) -> None:
    assert spec.flag(name) == flag


def test_a_folded_name_has_no_case_and_no_separators() -> None:
    assert spec.folded("Entity-Type_ID") == "entitytypeid"


def test_nodes_are_walked_parents_first() -> None:
    node = {
        "title": "a",
        "properties": {"x": {"title": "b", "items": {"title": "c"}}},
        "anyOf": [{"title": "d", "$ref": "#id"}, True],
        "if": {"title": "e", "$ref": "#id"},
    }
    assert [one["title"] for one in node_module.nodes(node)] == ["a", "b", "c", "d", "e"]
    assert node_module.references(node) == ["id"]


def test_what_a_service_says_is_read() -> None:
    found = service()
    assert (found.name, found.variant, found.title, found.help) == ("toy", "", "Toy", "Look behind the box")
    assert found.accept == {"url": ("https://{host}/", "{host}")}
    assert found.kinds() == {"host": "hostname", "number": "integer"}
    assert found.secrets() == frozenset({"token"})
    assert found.fields["free"] == {}
    assert found.schemes == (
        Scheme("token", "a token", ("host", "token"), "https://{host}/", {"header": {"X-Token": "{token}"}}, None),
        Scheme("open", "open", (), "https://{host}/", {}, {"method": "login", "keep": {"token": "value"}}),
    )
    assert found.limits == (
        Limit(("host",), rate=1.5, burst=5),
        Limit(("method",), cost="used", until="reset", cap=600.0),
    )
    assert found.retry == Retry()
    assert found.batch is not None
    assert (found.batch.form, found.batch.halt, found.batch.all_or_nothing) == ("map", "", False)


def test_silence_has_defaults() -> None:
    found = service(text="spec: 1\nservice: toy\ntitle: Toy\nauth: {open: {base: x}}")
    assert (found.batch, found.limits, found.fields, found.errors) == (None, (), {}, {})


def test_times_of_trying_again_are_read() -> None:
    found = Retry.read({"tries": 2, "base": "500ms", "max": "1m", "deadline": "1h", "on": ["network"]})
    assert found == Retry(tries=2, base=0.5, max=60.0, deadline=3600.0, on=("network",))


def test_a_variant_is_the_service_with_its_patch() -> None:
    found = service("v3")
    assert (found.title, found.batch, found.request["in"], "SLOW" in found.errors) == ("Toy 3", None, "body", False)


def test_an_unknown_variant_is_told_with_the_known_ones() -> None:
    with pytest.raises(SpecError, match=r"toy\.yaml: the service toy has no variant 'v4'; it has v3"):
        service("v4")
    with pytest.raises(SpecError, match="it has none"):
        service("v4", "spec: 1\nservice: toy\ntitle: Toy\nauth: {open: {base: x}}")


def test_the_shortest_method_is_whole() -> None:
    found = made()
    assert (found.name, found.full_name, found.effect, found.repeatable({})) == ("box.add", "box.add", "write", False)
    assert found.schema == {"type": "object", "properties": {}, "additionalProperties": False}
    assert found.sending == Sending(place="form", headers={"Accept": "application/json"})
    assert found.reading == Reading(result="result", meta={"total": "total"})


def test_a_method_of_a_variant_is_called_with_its_suffix() -> None:
    found = made("variant: v3", "v3")
    assert (found.full_name, found.sending.place) == ("box.add@v3", "body")


@pytest.mark.parametrize(
    ("request_block", "verb", "place"),
    [
        ("{}", "POST", "form"),
        ("{verb: GET}", "GET", "query"),
        ("{verb: PUT}", "PUT", "body"),
        ("{verb: GET, in: body}", "GET", "body"),
        ("{path: x}", "POST", "form"),
    ],
)
def test_params_travel_where_the_verb_says_unless_the_method_does(request_block: str, verb: str, place: str) -> None:
    found = made(f"request: {request_block}\nparams: {{a: {{}}, b: {{in: header}}}}")
    assert (found.sending.verb, found.params["a"].place, found.params["b"].place) == (verb, place, "header")


def test_how_an_answer_is_read_is_laid_over_the_services_way() -> None:
    block = "{answer: [json, empty], error: {when: e, code: c, message: m, details: d}, largest: 9}"
    assert made(f"response: {block}").reading == Reading(
        answers=("json", "empty"), result="result", meta={"total": "total"}, when="e", code="c", message="m",
        details="d", largest=9,
    )  # fmt: skip
    assert made("response: {answer: text}").reading.answers == ("text",)


@pytest.mark.parametrize(
    ("text", "answer"),
    [("idempotent: true", True), ("idempotent: false", False), ("", False)],
)
def test_a_write_is_repeatable_where_it_says_so(text: str, answer: bool) -> None:
    assert made(text).repeatable({}) is answer


@pytest.mark.parametrize(
    ("values", "answer"), [({}, False), ({"KEY": None}, False), ({"key": "a"}, True), ({"b": 1}, False)]
)
def test_a_write_is_repeatable_with_the_param_that_makes_it_harmless(values: dict[str, Any], answer: bool) -> None:
    assert made("idempotent: KEY\nparams: {KEY: {}}").repeatable(values) is answer


def test_reading_is_repeatable() -> None:
    assert Method.read({"method": "a", "summary": "s", "effect": "read"}, service(), lambda name: None).repeatable({})


def test_a_param_has_a_name_for_callers_and_one_for_the_wire() -> None:
    found = made("params: {ENTITY_TYPE: {wire: type, cli: [-e, --kind], $ref: '#hidden'}, free: true}")
    param = found.params["ENTITY_TYPE"]
    assert (param.name, param.wire, param.flags) == ("ENTITY_TYPE", "type", ("--entity-type", "-e", "--kind"))
    assert param.secret
    assert found.params["free"].schema == {}


def test_names_are_found_without_letter_case_or_by_their_pattern() -> None:
    found = made("params: {Title: {}, title2: {}}\npatterns: {'^min_': {type: number}}")
    assert [found.canonical(name) for name in ("Title", "TITLE", "other")] == ["Title", "Title", "other"]
    named, made_up = found.param("Title"), found.param("min_size")
    assert named is not None
    assert made_up is not None
    assert (named.name, made_up.name) == ("Title", "^min_")
    assert found.param("other") is None


def test_the_whole_input_is_one_schema() -> None:
    found = made("""
params: {A: {$ref: "#ids"}, B: {encode: yn, type: boolean}, C: {anyOf: [{$ref: "#id"}], items: {$ref: "#flag"}}}
patterns: {"^x": {$ref: "#id"}}
required: [A]
rules: {anyOf: [{required: [A]}]}
more: true
""")
    yes_or_no = {"encode": "yn", "enum": [True, False, "Y", "N"]}
    assert found.schema == {
        "type": "object",
        "properties": {
            "A": {"$ref": "#/$defs/ids"},
            "B": yes_or_no,
            "C": {"anyOf": [{"$ref": "#/$defs/id"}], "items": {"$ref": "#/$defs/flag"}},
        },
        "patternProperties": {"^x": {"$ref": "#/$defs/id"}},
        "required": ["A"],
        "anyOf": [{"required": ["A"]}],
        "$defs": {
            "ids": {"type": "array", "items": {"$ref": "#/$defs/id"}},
            "id": {"type": "integer"},
            "flag": yes_or_no,
        },
    }


@pytest.mark.parametrize(
    ("node", "answer"),
    [("{encode: yn}", True), ("{items: {encode: json}}", True), ("{$ref: '#flag'}", True), ("{$ref: '#id'}", False),
     ("{$ref: '#tree'}", False), ("true", False), ("{properties: {a: {$ref: '#flag'}}}", True)],
)  # fmt: skip
def test_a_param_knows_whether_something_in_it_is_encoded(node: str, answer: bool) -> None:
    assert made(f"params: {{A: {node}}}").params["A"].encoded is answer


@pytest.mark.parametrize(
    "text",
    ["params: {A: {items: {$ref: '#none'}}}", "returns: {$ref: '#none'}", "rules: {not: {$ref: '#none'}}",
     "warn: [{if: {$ref: '#none'}, say: x}]", "patterns: {x: {$ref: '#none'}}"],
)  # fmt: skip
def test_a_type_that_nobody_has_is_an_error_of_the_file(text: str) -> None:
    with pytest.raises(SpecError, match=r"box\.yaml: box\.add refers to the type #none"):
        made(text)


def test_a_type_that_is_only_itself_is_an_error_of_the_file() -> None:
    with pytest.raises(SpecError, match=r"the type #(loop|pool) refers to itself; write what it is"):
        made("params: {A: {$ref: '#loop'}}")


def test_a_type_may_hold_itself_deeper_and_may_be_anything() -> None:
    found = made("params: {A: {$ref: '#tree'}, B: {$ref: '#anything'}}")
    assert found.schema["$defs"] == {"tree": {"properties": {"child": {"$ref": "#/$defs/tree"}}}, "anything": True}


def test_a_way_of_authorising_that_nobody_has_is_an_error_of_the_file() -> None:
    assert made("auth: [open]").document["auth"] == ["open"]
    with pytest.raises(SpecError, match="has no way of authorising called 'opne'; it has token, open"):
        made("auth: [opne]")


def test_ways_of_paging_are_those_of_the_service_with_what_differs() -> None:
    (plain,) = made("pages: [offset]").styles
    (changed,) = made("pages: {offset: {items: result.rows, size: 20}}").styles
    (own,) = made("pages: {own: {send: {page: $page}, stop: short}}").styles
    assert (plain.send, plain.items, plain.stop) == ({"start": "$next"}, "result", "absent")
    assert (changed.next, changed.items, changed.size) == ("next", "result.rows", 20)
    assert (own.name, own.stop) == ("own", "short")


def test_a_way_of_paging_that_nobody_has_is_an_error_of_the_file() -> None:
    with pytest.raises(SpecError, match="the service toy has no way of paging called 'ofset'; it has offset"):
        made("pages: [ofset]")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [("slow", 400, "rate_limit"), ("OWN", 400, "conflict"), ("", 404, "not_found"), ("other", 503, "server"),
     ("slow", 503, "rate_limit"), ("404", 200, "not_found"), ("other", 400, None), ("", 200, None)],
)  # fmt: skip
def test_an_error_is_known_by_its_code_and_then_by_its_status(code: str, status: int, kind: str | None) -> None:
    found = made("errors: {own: {kind: conflict}}").refusal(code, status)
    assert (found.kind if found else None) == kind


def test_a_methods_own_words_for_an_error_win() -> None:
    assert made("errors: {slow: {kind: server, hint: Rest}}").refusal("SLOW", 400) == Refusal("server", hint="Rest")


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("a", "a"),
        ("[a, b]", "a or b"),
        ("{all: [a, b]}", "a and b"),
        ("{all: [a, [b, c]]}", "a and (b or c)"),
        ("[a, {all: [b, c]}]", "a or (b and c)"),
        ("{all: [a, [b]]}", "a and b"),
        ("[[a, b], c]", "a or b or c"),
        ("''", ""),
    ],
)
def test_permissions_are_told_in_words(scope: str, words: str) -> None:
    assert made(f"scope: {scope}").scope == words


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["why"]),
        ("params: {A: {}}", ["A", "why"]),
        ("params: {WHY: {}}", ["WHY"]),
        ("params: {A: true}", ["A", "why"]),
        ("params: {A: {}}\npositional: true", ["A"]),
        ("params: {A: {in: payload}}", ["A"]),
        ("auth: [open]", []),
        ("auth: [open, token]", ["why"]),
    ],
)
def test_what_every_write_takes_stands_behind_its_own_params(text: str, names: list[str]) -> None:
    common = "common: {write: {why: {$ref: '#id'}}, read: {no: {}}}\n"
    toy = service(text=SERVICE.replace("  open: {", "  open: {apart: true, ") + common)
    data = document.load(f"method: box.add\nsummary: Add a box\neffect: write\n{text}")
    method = Method.read(data, toy, document.load(SERVICE)["types"].get, "box.yaml")
    assert list(method.params) == list(method.schema["properties"]) == names
    assert method.common == frozenset({"why"} & set(names))


def test_secrets_are_veiled_at_every_depth() -> None:
    found = made("""
params:
  A: {$ref: "#hidden"}
  B:
    properties: {p: {$ref: "#secret"}, l: {items: {$ref: "#secret"}}}
    patternProperties: {"^s_": {$ref: "#secret"}}
    additionalProperties: false
  C: {additionalProperties: {$ref: "#secret"}}
more: true
""")
    values = {"A": {"x": 1}, "B": {"p": "x", "l": ["x", "y"], "s_1": "x", "o": 1}, "C": {"k": "x"}, "D": [1]}
    assert found.veiled(values) == {
        "A": "***",
        "B": {"p": "***", "l": ["***", "***"], "s_1": "***", "o": 1},
        "C": {"k": "***"},
        "D": [1],
    }


def test_advice_is_kept_with_its_condition() -> None:
    ((schema, say),) = made("params: {A: {$ref: '#id'}}\nwarn: [{if: {required: [A]}, say: Think}]").advice
    assert (schema, say) == ({"allOf": [{"required": ["A"]}], "$defs": {"id": {"type": "integer"}}}, "Think")


def test_ranges_that_lack_a_word_are_an_error_of_the_file() -> None:
    with pytest.raises(SpecError, match="the ranges of the pages 'offset' lack counted, newest, total, until"):
        made("pages: {offset: {ranges: {id: id}}}")
